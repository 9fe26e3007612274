using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>The part of a request that a matcher compares.</summary>
internal enum MatchCondition
{
    /// <summary>The path with the domain's id, for example <c>/{domainID}/v1/chat/completions</c>. An exact pattern may omit the domain.</summary>
    [JsonStringEnumMemberName("path")]
    Path,

    [JsonStringEnumMemberName("method")]
    Method,

    /// <summary>The first value of the header <c>field</c>.</summary>
    [JsonStringEnumMemberName("header")]
    Header,

    /// <summary>The first value of the query parameter <c>field</c>.</summary>
    [JsonStringEnumMemberName("query_param")]
    QueryParam,

    /// <summary>The member <c>field</c> of a JSON body. Dots separate the names of nested members.</summary>
    [JsonStringEnumMemberName("body_field")]
    BodyField,

    /// <summary>The entire body. The pattern is always a regular expression.</summary>
    [JsonStringEnumMemberName("body_regex")]
    BodyRegex,
}

/// <summary>Reads conditions from their names and rejects numbers.</summary>
internal sealed class MatchConditionJsonConverter() : JsonStringEnumConverter<MatchCondition>(namingPolicy: null, allowIntegerValues: false);

/// <param name="Field">Name of the header, query parameter or body member; required for these conditions.</param>
/// <param name="Pattern">The exact value, or a regular expression that matches any part of it.</param>
internal sealed record MatcherDefinition(
    [property: JsonConverter(typeof(MatchConditionJsonConverter))] MatchCondition Condition, string? Field, string? Pattern, bool IsRegex = false);

/// <summary>A route as clients send it and as the database stores it.</summary>
internal sealed record RouteDefinition
{
    /// <summary>1 to 255 letters, digits, <c>_</c> and <c>-</c>; unique.</summary>
    public required string Name { get; init; }

    /// <summary>An https URL with a host, and optionally a port and a path. If the host is a configured service name, the route uses all addresses of the service.</summary>
    public required string TargetUrl { get; init; }

    /// <summary>The route matches if all matchers match. At least one, except for the default route.</summary>
    public IReadOnlyList<MatcherDefinition> Matchers { get; init; } = [];

    /// <summary>0 to 1000. Routes are matched in descending order of priority, then in order of their names.</summary>
    public int Priority { get; init; }

    /// <summary>Marks the default route, which receives the requests that match no other route. At most one.</summary>
    public bool DefaultRule { get; init; }

    /// <summary>Prefix that the proxy removes from the path below the domain before it forwards a request.</summary>
    public string? StripPrefix { get; init; }

    public bool Enabled { get; init; } = true;

    /// <summary>Event type of the audit records of its requests.</summary>
    public string EventType { get; init; } = "llm_request";

    /// <summary>Requires an attested connection (aTLS). Always true.</summary>
    public bool Atls { get; init; } = true;

    public static JsonSerializerOptions SerializerOptions { get; } = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        PropertyNameCaseInsensitive = false,
        NumberHandling = JsonNumberHandling.Strict,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
    };
}

/// <summary>A route is not valid. The message describes the error for the client.</summary>
internal sealed class RouteException(string message) : Exception(message);
