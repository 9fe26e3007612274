using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>What a matcher looks at.</summary>
internal enum MatchCondition
{
    /// <summary>The path from the domain's id on, as <c>/{domainID}/v1/chat/completions</c>; an exact one may leave out the domain.</summary>
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

    /// <summary>The member <c>field</c> of a JSON body, a path of names with dots between them.</summary>
    [JsonStringEnumMemberName("body_field")]
    BodyField,

    /// <summary>The whole body; the pattern is always a regular expression.</summary>
    [JsonStringEnumMemberName("body_regex")]
    BodyRegex,
}

/// <summary>By name alone: a number is no condition.</summary>
internal sealed class MatchConditionNames() : JsonStringEnumConverter<MatchCondition>(namingPolicy: null, allowIntegerValues: false);

/// <param name="Field">The name of what is looked at; for headers, query parameters and body fields.</param>
/// <param name="Pattern">The exact text, or a regular expression that is found anywhere in it.</param>
internal sealed record MatcherDefinition(
    [property: JsonConverter(typeof(MatchConditionNames))] MatchCondition Condition, string? Field, string? Pattern, bool IsRegex = false);

/// <summary>A route as it was said and is kept.</summary>
internal sealed record RouteDefinition
{
    /// <summary>Letters, digits, <c>_</c> and <c>-</c>; 1 to 255 of them; unique.</summary>
    public required string Name { get; init; }

    /// <summary>https, host, and where needed port and path. A host of the configuration stands for all its addresses.</summary>
    public required string TargetUrl { get; init; }

    /// <summary>All of them must match. At least one, unless it is the default rule.</summary>
    public IReadOnlyList<MatcherDefinition> Matchers { get; init; } = [];

    /// <summary>0 to 1000; higher ones are asked first, equal ones in the order of their names.</summary>
    public int Priority { get; init; }

    /// <summary>Takes what no other route takes. There is one at most.</summary>
    public bool DefaultRule { get; init; }

    /// <summary>Taken off the front of the path below the domain.</summary>
    public string? StripPrefix { get; init; }

    public bool Enabled { get; init; } = true;

    /// <summary>What an audit record of its requests is called.</summary>
    public string EventType { get; init; } = "llm_request";

    /// <summary>Always true: whatever a route leads to must prove what it is.</summary>
    public bool Atls { get; init; } = true;

    public static JsonSerializerOptions Format { get; } = new(JsonSerializerDefaults.Web)
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

/// <summary>What is wrong with a route that somebody wants to save, in words for him.</summary>
internal sealed class RouteException(string message) : Exception(message);
