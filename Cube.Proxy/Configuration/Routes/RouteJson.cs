using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>
/// Reads a route strictly: an unknown member, a second one of the same name, or a value out of its range is an error, and nothing is
/// mended in silence.
/// </summary>
internal static partial class RouteJson
{
    public const int MaxMatchers = 32;
    private const int MaxPattern = 1024;
    private const int MaxField = 255;
    private const int MaxTarget = 2048;

    /// <summary>Of what is stored; what is allowed above never reaches it.</summary>
    public const int MaxStored = 256 << 10;

    /// <summary>Paths that this proxy answers itself; the original kept routes of these names.</summary>
    private static readonly string[] _reserved = ["attestation", "health"];

    private static readonly string[] _eventTypes = ["llm_request", "guardrails_request", "attestation_request", "audit_event", "embedder_request"];

    /// <summary>A body: the route's members, of which null is as good as absent, and its attestation policy.</summary>
    private sealed record Body(
        string? Name, string? TargetUrl, IReadOnlyList<MatcherDefinition>? Matchers, int? Priority, bool? DefaultRule, string? StripPrefix,
        bool? Enabled, string? EventType, bool? Atls, JsonElement Policy = default);

    /// <param name="json">What was sent.</param>
    /// <param name="name">The route's name in the path, where the body need not say it.</param>
    /// <returns>The route, and its policy: undefined where the body says nothing of one, null where it says null.</returns>
    /// <exception cref="RouteException">It is no route, or one that must not be.</exception>
    public static (RouteDefinition Route, JsonElement Policy) Read(ReadOnlySpan<byte> json, string? name)
    {
        Body body;
        try
        {
            body = JsonSerializer.Deserialize<Body>(json, RouteDefinition.Format) ?? throw new RouteException("The body is not a route.");
        }
        catch (JsonException exception)
        {
            throw new RouteException(exception.Path is { Length: > 1 } path ? $"The body is not a route: look at {path}." : "The body is not a route: it must be a JSON object with known members, each once.");
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

    /// <summary>What is stored.</summary>
    public static string Write(RouteDefinition route) => JsonSerializer.Serialize(route, RouteDefinition.Format);

    /// <param name="json">As it is stored; null where that is too long to be a route.</param>
    /// <exception cref="RouteException">It is no route that this proxy knows.</exception>
    public static RouteDefinition ReadStored(string? json)
    {
        if (json is null || Encoding.UTF8.GetByteCount(json) > MaxStored)
        {
            throw new RouteException($"The route is larger than {MaxStored >> 10} KiB.");
        }

        try
        {
            var route = JsonSerializer.Deserialize<RouteDefinition>(json, RouteDefinition.Format) ?? throw new RouteException("The route is null.");
            Validate(route);
            return route;
        }
        catch (JsonException)
        {
            throw new RouteException("The route is not JSON of the kind that is stored.");
        }
    }

    /// <summary>Of a stored route that cannot be loaded, which requests it is for.</summary>
    /// <returns>Null where that cannot be read.</returns>
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
                Matchers = Member<IReadOnlyList<MatcherDefinition>>(stored, "matchers") ?? [],
                DefaultRule = Member<bool>(stored, "default_rule"),
                Priority = Member<int>(stored, "priority"),
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

    private static T? Member<T>(JsonElement json, string name) => json.TryGetProperty(name, out var value) ? value.Deserialize<T>(RouteDefinition.Format) : default;

    /// <exception cref="RouteException">The route must not be.</exception>
    public static void Validate(RouteDefinition route)
    {
        if (!Name().IsMatch(route.Name))
        {
            throw new RouteException("name must be 1 to 255 letters, digits, '_' or '-'.");
        }

        if (_reserved.Contains(route.Name))
        {
            throw new RouteException($"'{route.Name}' is a path of Cube itself and no route's name.");
        }

        if (!route.Atls)
        {
            throw new RouteException("atls must be true: a prompt goes only to a machine that has proved what it is.");
        }

        if (Problem(route.TargetUrl) is { } problem)
        {
            throw new RouteException(problem);
        }

        if (route.Priority is < 0 or > 1000)
        {
            throw new RouteException("priority must be between 0 and 1000.");
        }

        if (route.Matchers.Count == 0 && !route.DefaultRule)
        {
            throw new RouteException("matchers: at least one is needed, unless default_rule is true.");
        }

        if (route.Matchers.Count > MaxMatchers)
        {
            throw new RouteException($"matchers: there are more than {MaxMatchers}.");
        }

        for (var i = 0; i < route.Matchers.Count; i++)
        {
            Validate(route.Matchers[i], $"matchers[{i}]");
        }

        if (route.StripPrefix is { } prefix && (!prefix.StartsWith('/') || prefix.Length > 255 || prefix.Contains('\0', StringComparison.Ordinal)))
        {
            throw new RouteException("strip_prefix must begin with '/' and have at most 255 characters.");
        }

        if (!_eventTypes.Contains(route.EventType))
        {
            throw new RouteException($"event_type must be one of {string.Join(", ", _eventTypes)}.");
        }
    }

    private static string? Problem(string target) =>
        target.Length > MaxTarget || target.Contains('\0', StringComparison.Ordinal) ? $"target_url must have at most {MaxTarget} characters."
        : !Uri.TryCreate(target, UriKind.Absolute, out var url) || url.Host.Length == 0 ? "target_url must have a scheme and a host."
        : url.Scheme == Uri.UriSchemeHttp ? "target_url must be https: an attested route is never sent in clear."
        : url.Scheme != Uri.UriSchemeHttps ? "target_url must be https."
        : url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0 ? "target_url must have no user, query or fragment."
        : null;

    private static void Validate(MatcherDefinition? matcher, string where)
    {
        if (matcher is null)
        {
            throw new RouteException($"{where} is null.");
        }

        if (matcher.Condition is MatchCondition.Header or MatchCondition.QueryParam or MatchCondition.BodyField && string.IsNullOrEmpty(matcher.Field))
        {
            throw new RouteException($"{where}.field is required for this condition.");
        }

        // The database stores no U+0000 in JSON.
        if (matcher.Field is { } field && (field.Length > MaxField || field.Contains('\0', StringComparison.Ordinal)))
        {
            throw new RouteException($"{where}.field must have at most {MaxField} characters, and no U+0000.");
        }

        if (string.IsNullOrEmpty(matcher.Pattern) || matcher.Pattern.Length > MaxPattern || matcher.Pattern.Contains('\0', StringComparison.Ordinal))
        {
            throw new RouteException($"{where}.pattern must have 1 to {MaxPattern} characters, and no U+0000.");
        }

        if (matcher.IsRegex || matcher.Condition == MatchCondition.BodyRegex)
        {
            try
            {
                _ = RouteMatcher.Compile(matcher.Pattern);
            }
            catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
            {
                throw new RouteException($"{where}.pattern is no regular expression of the kind that runs in linear time.");
            }
        }
    }

    [GeneratedRegex(@"\A[a-zA-Z0-9_-]{1,255}\z")]
    private static partial Regex Name();
}
