using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>
/// Reads and writes routes. Reading is strict: an unknown or duplicate member, or a value out of range, is an error. The proxy corrects nothing.
/// </summary>
internal static partial class RouteJson
{
    public const int MaxMatchers = 32;
    private const int MaxPattern = 1024;
    private const int MaxField = 255;
    private const int MaxTarget = 2048;

    /// <summary>Maximum size of the stored JSON, in bytes. A route within the limits above is always smaller.</summary>
    public const int MaxStored = 256 << 10;

    /// <summary>Names that routes cannot have, because the proxy serves these paths itself. Cube's earlier Go implementation had routes of these names.</summary>
    private static readonly string[] _reservedNames = ["attestation", "health"];

    private static readonly string[] _eventTypes = ["llm_request", "guardrails_request", "attestation_request", "audit_event", "embedder_request"];

    /// <summary>The body of a request: the members of the route, of which null has the same meaning as absent, and the attestation policy.</summary>
    private sealed record RouteBody(
        string? Name, string? TargetUrl, IReadOnlyList<MatcherDefinition>? Matchers, int? Priority, bool? DefaultRule, string? StripPrefix,
        bool? Enabled, string? EventType, bool? Atls, JsonElement Policy = default);

    /// <param name="json">The body of a request.</param>
    /// <param name="name">The name from the path of the request, the default for the name in the body; null if the path has none.</param>
    /// <returns>The route, and its policy: of kind Undefined if the body has none, or of kind Null.</returns>
    /// <exception cref="RouteException">The body is not a valid route.</exception>
    public static (RouteDefinition Route, JsonElement Policy) Read(ReadOnlySpan<byte> json, string? name)
    {
        RouteBody body;
        try
        {
            body = JsonSerializer.Deserialize<RouteBody>(json, RouteDefinition.SerializerOptions) ?? throw new RouteException("The body is not a route.");
        }
        catch (JsonException exception)
        {
            throw new RouteException(exception.Path is { Length: > 1 } path
                ? $"The body is not a route: {path} is not valid."
                : "The body is not a route: it must be a JSON object with known members and without duplicates.");
        }

        var route = new RouteDefinition
        {
            Name = body.Name ?? name ?? throw new RouteException("name is required."),
            TargetUrl = body.TargetUrl ?? throw new RouteException("target_url is required."),
            Matchers = body.Matchers ?? [],
            Priority = body.Priority ?? 0,
            DefaultRule = body.DefaultRule ?? false,
            StripPrefix = body.StripPrefix is "" ? null : body.StripPrefix,
            Enabled = body.Enabled ?? true,
            EventType = body.EventType ?? "llm_request",
            Atls = body.Atls ?? true,
        };
        Validate(route);
        ReadStored(Write(route));
        return (route, body.Policy);
    }

    /// <returns>The JSON for the database.</returns>
    public static string Write(RouteDefinition route) => JsonSerializer.Serialize(route, RouteDefinition.SerializerOptions);

    /// <param name="json">The stored JSON; null if it exceeds <see cref="MaxStored"/>.</param>
    /// <exception cref="RouteException">The stored JSON is not a valid route.</exception>
    public static RouteDefinition ReadStored(string? json)
    {
        if (json is null || Encoding.UTF8.GetByteCount(json) > MaxStored)
        {
            throw new RouteException($"The route is larger than {MaxStored >> 10} KiB.");
        }

        try
        {
            var route = JsonSerializer.Deserialize<RouteDefinition>(json, RouteDefinition.SerializerOptions) ?? throw new RouteException("The route must not be null.");
            Validate(route);
            return route;
        }
        catch (JsonException)
        {
            throw new RouteException("The stored route is not valid JSON for a route.");
        }
    }

    /// <summary>Reads only the members of a stored route that determine which requests it matches. For a route that <see cref="ReadStored"/> cannot read.</summary>
    /// <returns>A route with a placeholder for its name and target; null if these members are not valid.</returns>
    public static RouteDefinition? ReadConditions(string? json)
    {
        try
        {
            if (json is null || JsonElement.Parse(json) is not { ValueKind: JsonValueKind.Object } stored)
            {
                return null;
            }

            var route = new RouteDefinition
            {
                Name = "unreadable",
                TargetUrl = "https://unreadable.invalid",
                Matchers = ReadMember<IReadOnlyList<MatcherDefinition>>(stored, "matchers") ?? [],
                DefaultRule = ReadMember<bool>(stored, "default_rule"),
                Priority = ReadMember<int>(stored, "priority"),
                Enabled = !stored.TryGetProperty("enabled", out var enabled) || enabled.GetBoolean(),
            };
            Validate(route);
            return route;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or RouteException)
        {
            return null;
        }
    }

    private static T? ReadMember<T>(JsonElement json, string name) => json.TryGetProperty(name, out var value) ? value.Deserialize<T>(RouteDefinition.SerializerOptions) : default;

    /// <exception cref="RouteException">A member of the route is not valid.</exception>
    public static void Validate(RouteDefinition route)
    {
        if (!Name().IsMatch(route.Name))
        {
            throw new RouteException("name must be 1 to 255 letters, digits, '_' or '-'.");
        }

        if (_reservedNames.Contains(route.Name))
        {
            throw new RouteException($"name must not be '{route.Name}': this path is reserved for Cube itself.");
        }

        if (!route.Atls)
        {
            throw new RouteException("atls must be true: the proxy sends prompts only to attested machines.");
        }

        if (TargetUrlError(route.TargetUrl) is { } error)
        {
            throw new RouteException(error);
        }

        if (route.Priority is < 0 or > 1000)
        {
            throw new RouteException("priority must be between 0 and 1000.");
        }

        ValidateMatchers(route);
        if (route.StripPrefix is { } prefix && (!prefix.StartsWith('/') || prefix.Length > 255 || prefix.Contains('\0', StringComparison.Ordinal)))
        {
            throw new RouteException("strip_prefix must begin with '/', and have at most 255 characters and no U+0000.");
        }

        if (!_eventTypes.Contains(route.EventType))
        {
            throw new RouteException($"event_type must be one of {string.Join(", ", _eventTypes)}.");
        }
    }

    private static void ValidateMatchers(RouteDefinition route)
    {
        if (route.Matchers.Count == 0 && !route.DefaultRule)
        {
            throw new RouteException("matchers must have at least one entry, unless default_rule is true.");
        }

        if (route.Matchers.Count > MaxMatchers)
        {
            throw new RouteException($"matchers must have at most {MaxMatchers} entries.");
        }

        for (var i = 0; i < route.Matchers.Count; i++)
        {
            ValidateMatcher(route.Matchers[i], $"matchers[{i}]");
        }
    }

    private static string? TargetUrlError(string target) =>
        target.Length > MaxTarget || target.Contains('\0', StringComparison.Ordinal) ? $"target_url must have at most {MaxTarget} characters and no U+0000."
        : !Uri.TryCreate(target, UriKind.Absolute, out var url) || url.Host.Length == 0 ? "target_url must have a scheme and a host."
        : url.Scheme == Uri.UriSchemeHttp ? "target_url must be https: an attested connection requires TLS."
        : url.Scheme != Uri.UriSchemeHttps ? "target_url must be https."
        : url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0 ? "target_url must have no user, query or fragment."
        : null;

    private static void ValidateMatcher(MatcherDefinition? matcher, string path)
    {
        if (matcher is null)
        {
            throw new RouteException($"{path} must not be null.");
        }

        if (matcher.Condition is MatchCondition.Header or MatchCondition.QueryParam or MatchCondition.BodyField && string.IsNullOrEmpty(matcher.Field))
        {
            throw new RouteException($"{path}.field is required for this condition.");
        }

        // PostgreSQL cannot store U+0000 in jsonb.
        if (matcher.Field is { } field && (field.Length > MaxField || field.Contains('\0', StringComparison.Ordinal)))
        {
            throw new RouteException($"{path}.field must have at most {MaxField} characters, and no U+0000.");
        }

        if (string.IsNullOrEmpty(matcher.Pattern) || matcher.Pattern.Length > MaxPattern || matcher.Pattern.Contains('\0', StringComparison.Ordinal))
        {
            throw new RouteException($"{path}.pattern must have 1 to {MaxPattern} characters, and no U+0000.");
        }

        if (matcher.IsRegex || matcher.Condition == MatchCondition.BodyRegex)
        {
            try
            {
                _ = RouteMatcher.Compile(matcher.Pattern);
            }
            catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
            {
                throw new RouteException($"{path}.pattern must be a regular expression that runs in linear time: without backreferences and lookarounds.");
            }
        }
    }

    [GeneratedRegex(@"\A[a-zA-Z0-9_-]{1,255}\z")]
    private static partial Regex Name();
}
