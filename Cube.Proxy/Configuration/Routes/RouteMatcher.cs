using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Proxy.Edge;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>A request as matchers see it.</summary>
/// <param name="Body">Whole, where the endpoint has one; else empty.</param>
internal readonly record struct RouteRequest(HttpRequest Http, DomainPathFeature Path, ReadOnlyMemory<byte> Body);

/// <summary>One compiled condition of a route.</summary>
internal abstract class RouteMatcher
{
    public abstract bool Matches(in RouteRequest request);

    /// <exception cref="ArgumentException">It is no regular expression.</exception>
    /// <exception cref="NotSupportedException">It needs backtracking, which a client could make last for ever.</exception>
    public static Regex Compile(string pattern) => new(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    public static RouteMatcher Of(MatcherDefinition definition) => definition.Condition switch
    {
        MatchCondition.Path => new OfPath(new Pattern(definition)),
        MatchCondition.Method => new OfMethod(new Pattern(definition)),
        MatchCondition.Header => new OfHeader(definition.Field!, new Pattern(definition)),
        MatchCondition.QueryParam => new OfQuery(definition.Field!, new Pattern(definition)),
        MatchCondition.BodyField => new OfBodyField(definition.Field!, new Pattern(definition)),
        MatchCondition.BodyRegex => new OfBody(Compile(definition.Pattern!)),
        _ => throw new ArgumentOutOfRangeException(nameof(definition)),
    };

    private sealed class Pattern(MatcherDefinition definition)
    {
        private readonly string _text = definition.Pattern!;
        private readonly Regex? _regex = definition.IsRegex ? Compile(definition.Pattern!) : null;

        public bool IsExact => _regex is null;

        public bool Fits(ReadOnlySpan<char> text) => _regex is null ? text.SequenceEqual(_text) : _regex.IsMatch(text);
    }

    private sealed class OfPath(Pattern pattern) : RouteMatcher
    {
        // The domain's id in its one canonical form: other letters in the URL must not get around a rule about a domain.
        public override bool Matches(in RouteRequest request) =>
            pattern.Fits(request.Path.Canonical) || (pattern.IsExact && pattern.Fits(request.Path.Rest));
    }

    private sealed class OfMethod(Pattern pattern) : RouteMatcher
    {
        public override bool Matches(in RouteRequest request) => pattern.Fits(request.Http.Method);
    }

    private sealed class OfHeader(string name, Pattern pattern) : RouteMatcher
    {
        public override bool Matches(in RouteRequest request) =>
            request.Http.Headers.TryGetValue(name, out var values) && values is [{ } first, ..] && pattern.Fits(first);
    }

    private sealed class OfQuery(string name, Pattern pattern) : RouteMatcher
    {
        public override bool Matches(in RouteRequest request) =>
            request.Http.Query.TryGetValue(name, out var values) && values is [{ } first, ..] && pattern.Fits(first);
    }

    private sealed class OfBody(Regex regex) : RouteMatcher
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
                // It held a prompt.
                ArrayPool<char>.Shared.Return(text, clearArray: true);
            }
        }
    }

    private sealed class OfBodyField(string path, Pattern pattern) : RouteMatcher
    {
        private readonly byte[][] _names = [.. path.Split('.').Select(Encoding.UTF8.GetBytes)];

        public override bool Matches(in RouteRequest request)
        {
            try
            {
                return Read(request.Body.Span);
            }
            catch (Exception exception) when (exception is JsonException or InvalidOperationException)
            {
                // Refused for that itself, after its route is known.
                return false;
            }
        }

        /// <summary>One pass, into the members on the way and past all others.</summary>
        private bool Read(ReadOnlySpan<byte> json)
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 256 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return false;
            }

            var found = 0;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (!reader.ValueTextEquals(_names[found]))
                {
                    reader.Skip();
                    continue;
                }

                reader.Read();
                if (++found == _names.Length)
                {
                    return FitsValue(ref reader, json);
                }

                if (reader.TokenType != JsonTokenType.StartObject)
                {
                    return false;
                }
            }

            return false;
        }

        private bool FitsValue(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
        {
            if (reader.TokenType == JsonTokenType.String)
            {
                return pattern.Fits(reader.GetString());
            }

            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            return pattern.Fits(Encoding.UTF8.GetString(json[start..(int)reader.BytesConsumed]));
        }
    }
}
