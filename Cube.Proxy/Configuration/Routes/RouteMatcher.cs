using System.Buffers;
using System.Text;
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

    /// <summary>The one value that the matcher accepts; null if it is a regular expression.</summary>
    public virtual string? ExactValue => null;

    /// <summary>Where requests have the value that is compared; null for a matcher without <see cref="ExactValue"/>.</summary>
    public virtual RouteValue? Source => null;

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
            MatchCondition.Method or MatchCondition.Header or MatchCondition.QueryParam or MatchCondition.BodyField => new ValueMatcher(new RouteValue(definition.Condition, field), value),
            _ => throw new ArgumentOutOfRangeException(nameof(definition)),
        };
    }

    private sealed class ValuePattern(string pattern, bool isRegex)
    {
        private readonly Regex? _regex = isRegex ? Compile(pattern) : null;

        public string? Exact => _regex is null ? pattern : null;

        public bool IsMatch(ReadOnlySpan<char> text) => _regex is null ? text.SequenceEqual(pattern) : _regex.IsMatch(text);
    }

    private sealed class PathMatcher(ValuePattern pattern) : RouteMatcher
    {
        // The canonical path has the domain's id in lower case, so that a client cannot evade a route for a domain with upper-case letters.
        public override bool Matches(in RouteRequest request) =>
            pattern.IsMatch(request.Path.Canonical) || (pattern.Exact is not null && pattern.IsMatch(request.Path.Rest));
    }

    private sealed class ValueMatcher(RouteValue source, ValuePattern pattern) : RouteMatcher
    {
        public override string? ExactValue => pattern.Exact;

        public override RouteValue? Source => source;

        public override bool Matches(in RouteRequest request) => source.Read(request) is { } value && pattern.IsMatch(value);
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
}
