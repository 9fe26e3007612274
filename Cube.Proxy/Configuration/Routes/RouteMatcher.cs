using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Proxy.Edge;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>The input of the matchers.</summary>
/// <param name="Body">The entire body; empty if the endpoint has none.</param>
internal readonly record struct RouteRequest(HttpRequest Http, DomainPathFeature Path, ReadOnlyMemory<byte> Body);

/// <summary>One compiled condition of a route.</summary>
internal abstract class RouteMatcher
{
    public abstract bool Matches(in RouteRequest request);

    /// <exception cref="ArgumentException">The pattern is not a regular expression.</exception>
    /// <exception cref="NotSupportedException">The pattern needs backtracking, with which a client could cause unbounded CPU time.</exception>
    public static Regex Compile(string pattern) => new(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    /// <param name="definition">A validated definition: its pattern is not empty, nor is its field where the condition requires one.</param>
    public static RouteMatcher Create(MatcherDefinition definition)
    {
        var pattern = definition.Pattern ?? throw new ArgumentException("A matcher must have a pattern.", nameof(definition));
        var field = definition.Field ?? "";
        if (definition.Condition == MatchCondition.BodyRegex)
        {
            return new BodyMatcher(Compile(pattern));
        }

        var value = new ValuePattern(pattern, definition.IsRegex);
        return definition.Condition switch
        {
            MatchCondition.Path => new PathMatcher(value),
            MatchCondition.Method => new MethodMatcher(value),
            MatchCondition.Header => new HeaderMatcher(field, value),
            MatchCondition.QueryParam => new QueryMatcher(field, value),
            MatchCondition.BodyField => new BodyFieldMatcher(field, value),
            _ => throw new ArgumentOutOfRangeException(nameof(definition)),
        };
    }

    private sealed class ValuePattern(string pattern, bool isRegex)
    {
        private readonly Regex? _regex = isRegex ? Compile(pattern) : null;

        public bool IsExact => _regex is null;

        public bool IsMatch(ReadOnlySpan<char> text) => _regex is null ? text.SequenceEqual(pattern) : _regex.IsMatch(text);
    }

    private sealed class PathMatcher(ValuePattern pattern) : RouteMatcher
    {
        // The canonical path has the domain's id in lower case, so that a client cannot evade a route for a domain with upper-case letters.
        public override bool Matches(in RouteRequest request) =>
            pattern.IsMatch(request.Path.Canonical) || (pattern.IsExact && pattern.IsMatch(request.Path.Rest));
    }

    private sealed class MethodMatcher(ValuePattern pattern) : RouteMatcher
    {
        public override bool Matches(in RouteRequest request) => pattern.IsMatch(request.Http.Method);
    }

    private sealed class HeaderMatcher(string name, ValuePattern pattern) : RouteMatcher
    {
        public override bool Matches(in RouteRequest request) =>
            request.Http.Headers.TryGetValue(name, out var values) && values is [{ } first, ..] && pattern.IsMatch(first);
    }

    private sealed class QueryMatcher(string name, ValuePattern pattern) : RouteMatcher
    {
        public override bool Matches(in RouteRequest request) =>
            request.Http.Query.TryGetValue(name, out var values) && values is [{ } first, ..] && pattern.IsMatch(first);
    }

    private sealed class BodyMatcher(Regex regex) : RouteMatcher
    {
        public override bool Matches(in RouteRequest request)
        {
            if (request.Body.IsEmpty)
            {
                return false;
            }

            var text = ArrayPool<char>.Shared.Rent(request.Body.Length);
            try
            {
                return Encoding.UTF8.TryGetChars(request.Body.Span, text, out var length) && regex.IsMatch(text.AsSpan(0, length));
            }
            finally
            {
                // The buffer contains a prompt.
                ArrayPool<char>.Shared.Return(text, clearArray: true);
            }
        }
    }

    private sealed class BodyFieldMatcher(string path, ValuePattern pattern) : RouteMatcher
    {
        private readonly byte[][] _path = [.. path.Split('.').Select(Encoding.UTF8.GetBytes)];

        public override bool Matches(in RouteRequest request)
        {
            try
            {
                return Read(request.Body.Span);
            }
            catch (Exception exception) when (exception is JsonException or InvalidOperationException)
            {
                // The body is not valid JSON. A later step rejects the request.
                return false;
            }
        }

        /// <summary>Reads the JSON once and skips the members that are not on the path.</summary>
        private bool Read(ReadOnlySpan<byte> json)
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 256 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return false;
            }

            var depth = 0;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (!reader.ValueTextEquals(_path[depth]))
                {
                    reader.Skip();
                    continue;
                }

                reader.Read();
                if (++depth == _path.Length)
                {
                    return IsMatchAt(ref reader, json);
                }

                if (reader.TokenType != JsonTokenType.StartObject)
                {
                    return false;
                }
            }

            return false;
        }

        private bool IsMatchAt(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
        {
            if (reader.TokenType == JsonTokenType.String)
            {
                return pattern.IsMatch(reader.GetString());
            }

            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            return pattern.IsMatch(Encoding.UTF8.GetString(json[start..(int)reader.BytesConsumed]));
        }
    }
}
