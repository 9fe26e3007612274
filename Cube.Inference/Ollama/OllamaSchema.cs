using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cube.Inference.Ollama;

/// <summary>
/// Holds a schema against what Ollama survives. It makes a grammar of it, and one that it cannot make or cannot read ends the process that
/// holds the model, or Ollama itself, and with it everybody's answers. Measured on 0.17.4: a pattern <c>[</c> ends Ollama; a list of more
/// than 2,000 items, some 240 optional properties, references in a circle, an empty <c>anyOf</c> end the model's process.
/// </summary>
internal static partial class OllamaSchema
{
    private const int MaxDepth = 50;
    private const int MaxRepetitions = 1000;

    /// <summary>Four times the properties that OpenAI allows in a schema.</summary>
    private const int MaxNodes = 20_000;

    /// <summary>What one place of an answer may be, references followed: Ollama holds each beside each, and takes 15 s for 16,000.</summary>
    private const int MaxAlternatives = 5000;

    /// <summary>Ollama's room for a grammar: this, or four times the schema.</summary>
    private const int MinGrammarBytes = 32_768;

    private static readonly string[] _alternatives = ["anyOf", "oneOf", "allOf"];
    private static readonly string[] _definitions = ["$defs", "definitions"];
    private static readonly string[] _counts = ["minItems", "maxItems", "minLength", "maxLength"];
    private static readonly string[] _inner = ["items", "additionalProperties", "not", "contains", "if", "then", "else"];

    /// <param name="schema">A schema that is one.</param>
    /// <param name="param">Its name for the client.</param>
    /// <param name="ct">Ends the work where the client has gone.</param>
    /// <returns>How many nodes were visited: each once, and each definition a second time where something refers to it.</returns>
    /// <exception cref="RequestRejectedException">Ollama might not survive it.</exception>
    public static int Check(JsonElement schema, string param, CancellationToken ct)
    {
        var walk = new Walk(schema, param, ct);
        var size = walk.Visit(schema, prefix: 0, depth: 0);
        walk.Require(size <= Math.Max(MinGrammarBytes, 4L * System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(schema).Length), "it has too many properties");
        return walk.Visited;
    }

    private sealed class Walk(JsonElement root, string param, CancellationToken ct)
    {
        private readonly Dictionary<string, JsonElement> _defined = DefinitionsOf(root);

        /// <summary>How many alternatives each definition is; 0 while that is being counted.</summary>
        private readonly Dictionary<string, int> _alternativesOf = new(StringComparer.Ordinal);

        public int Visited { get; private set; }

        public void Require(bool isRight, string reason)
        {
            if (!isRight)
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue(param, $"this model cannot follow the schema: {reason}"));
            }
        }

        private void Count()
        {
            ct.ThrowIfCancellationRequested();
            Require(++Visited <= MaxNodes, "it has too many parts");
        }

        /// <returns>About how many bytes of grammar it makes.</returns>
        public long Visit(JsonElement schema, int prefix, int depth)
        {
            Require(depth <= MaxDepth, $"it is nested more than {MaxDepth} deep");
            Count();
            Require(schema.ValueKind != JsonValueKind.False, "a schema is false");
            if (schema.ValueKind != JsonValueKind.Object)
            {
                return 0;
            }

            CheckValues(schema);
            if (schema.TryGetProperty("$ref", out var reference))
            {
                AlternativesOf(reference, 0);
            }

            var size = VisitProperties(schema, prefix, depth);
            Require(!schema.TryGetProperty("items", out var items) || items.ValueKind != JsonValueKind.False, "a schema is false");
            foreach (var name in _inner)
            {
                if (schema.TryGetProperty(name, out var inner) && inner.ValueKind == JsonValueKind.Object)
                {
                    size += Visit(inner, prefix + name.Length, depth + 1);
                }
            }

            foreach (var name in (string[])[.. _alternatives, "prefixItems"])
            {
                if (schema.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array)
                {
                    Require(list.GetArrayLength() > 0, $"{name} is empty");
                    foreach (var item in list.EnumerateArray())
                    {
                        size += prefix + 8 + Visit(item, prefix + 4, depth + 1);
                    }
                }
            }

            foreach (var name in _definitions)
            {
                if (schema.TryGetProperty(name, out var map) && map.ValueKind == JsonValueKind.Object)
                {
                    foreach (var member in map.EnumerateObject())
                    {
                        size += Visit(member.Value, member.Name.Length + 1, depth + 1);
                    }
                }
            }

            if (schema.TryGetProperty("enum", out var values) && values.ValueKind == JsonValueKind.Array)
            {
                foreach (var value in values.EnumerateArray())
                {
                    size += (2 * System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(value).Length) + 8;
                }
            }

            return size;
        }

        /// <summary>The rules of a property are named by the way to it; an optional one is named twice as often.</summary>
        private long VisitProperties(JsonElement schema, int prefix, int depth)
        {
            if (!schema.TryGetProperty("properties", out var properties) || properties.ValueKind != JsonValueKind.Object)
            {
                return 0;
            }

            var required = schema.TryGetProperty("required", out var list) && list.ValueKind == JsonValueKind.Array
                ? list.EnumerateArray().Where(static name => name.ValueKind == JsonValueKind.String).Select(static name => name.GetString()!).ToHashSet(StringComparer.Ordinal)
                : [];
            var size = 0L;
            foreach (var property in properties.EnumerateObject())
            {
                var path = prefix + property.Name.Length + 1;
                size += (required.Contains(property.Name) ? (3 * path) + 60 : (6 * path) + 120) + Visit(property.Value, path, depth + 1);
            }

            return size;
        }

        private void CheckValues(JsonElement schema)
        {
            foreach (var name in _counts)
            {
                Require(
                    !schema.TryGetProperty(name, out var count) || (count.ValueKind == JsonValueKind.Number && count.TryGetInt32(out var number) && number is >= 0 and <= MaxRepetitions),
                    $"{name} can be 0 to {MaxRepetitions}");
            }

            Require(!schema.TryGetProperty("type", out var type) || type.ValueKind != JsonValueKind.Array || type.GetArrayLength() > 0, "type is empty");
            Require(!schema.TryGetProperty("pattern", out var pattern) || (pattern.ValueKind == JsonValueKind.String && IsPlain(pattern.GetString()!)),
                "a pattern can be ^, letters, digits, '.', classes as [a-z0-9_.-], each with a quantifier, and $");
        }

        /// <summary>
        /// What a schema is before anything of the answer is read must come to an end, and be few things. Each definition is counted once, so
        /// one that refers twice to the next doubles a number and not the work.
        /// </summary>
        private int AlternativesOf(JsonElement reference, int depth)
        {
            Require(depth <= MaxDepth, $"its references lead more than {MaxDepth} deep");
            var pointer = reference.ValueKind == JsonValueKind.String ? reference.GetString()! : "";
            if (_alternativesOf.TryGetValue(pointer, out var known))
            {
                Require(known > 0, "its references go in a circle");
                return known;
            }

            Require(_defined.TryGetValue(pointer, out var target), "a reference must be to #/$defs/name, and that be there");
            _alternativesOf[pointer] = 0;
            var count = Expand(target, depth);
            _alternativesOf[pointer] = count;
            return count;
        }

        private int Expand(JsonElement schema, int depth)
        {
            Require(depth <= MaxDepth, $"its references lead more than {MaxDepth} deep");
            Count();
            if (schema.ValueKind != JsonValueKind.Object)
            {
                return 1;
            }

            var count = schema.TryGetProperty("$ref", out var reference) ? AlternativesOf(reference, depth + 1) : 1;
            foreach (var name in _alternatives)
            {
                if (schema.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array)
                {
                    foreach (var item in list.EnumerateArray())
                    {
                        count += Expand(item, depth + 1);
                        Require(count <= MaxAlternatives, "one place can be too many things");
                    }
                }
            }

            return count;
        }

        private static Dictionary<string, JsonElement> DefinitionsOf(JsonElement root)
        {
            var defined = new Dictionary<string, JsonElement>(StringComparer.Ordinal) { ["#"] = root };
            foreach (var name in _definitions)
            {
                if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty(name, out var map) && map.ValueKind == JsonValueKind.Object)
                {
                    foreach (var member in map.EnumerateObject().Where(static member => member.Name.Length > 0 && !member.Name.Contains('/', StringComparison.Ordinal)))
                    {
                        defined[$"#/{name}/{member.Name}"] = member.Value;
                    }
                }
            }

            return defined;
        }
    }

    private static bool IsPlain(string pattern) => pattern.Length <= 512 && Pattern().Match(pattern) is { Success: true } match
        && match.Groups["least"].Captures.Concat(match.Groups["most"].Captures).All(static count => int.Parse(count.ValueSpan, CultureInfo.InvariantCulture) <= MaxRepetitions)
        && Ranges().Matches(pattern).All(static range => int.Parse(range.Groups[1].ValueSpan, CultureInfo.InvariantCulture) <= int.Parse(range.Groups[2].ValueSpan, CultureInfo.InvariantCulture));

    [GeneratedRegex(@"\A\^(?:(?:[A-Za-z0-9 _@:/.-]|\\\.|\[(?:a-z|A-Z|0-9|[A-Za-z0-9_.@:/ ])+-?\])(?:[*+?]|\{(?<least>[0-9]{1,4})(?:,(?<most>[0-9]{1,4})?)?\})?)*\$\z", RegexOptions.NonBacktracking)]
    private static partial Regex Pattern();

    [GeneratedRegex(@"\{([0-9]{1,4}),([0-9]{1,4})\}")]
    private static partial Regex Ranges();
}
