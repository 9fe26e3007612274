using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cube.Inference.Ollama;

/// <summary>
/// Rejects JSON schemas that crash Ollama. Ollama compiles a schema to a grammar. A schema that it cannot compile ends the process of the model, or Ollama itself, and with it the responses of all users. Measured with
/// Ollama 0.17.4: a pattern <c>[</c> ends Ollama; a list of more than 2,000 items, about 240 optional properties, circular references or an empty <c>anyOf</c> end the process of the model.
/// </summary>
internal static partial class OllamaSchema
{
    private const int MaxDepth = 50;
    private const int MaxRepetitions = 1000;

    /// <summary>Four times the properties that OpenAI allows in a schema.</summary>
    private const int MaxNodes = 20_000;

    /// <summary>Maximum number of alternatives at one position after references are resolved. Ollama 0.17.4 keeps all of them in memory and needs 15 s for 16,000.</summary>
    private const int MaxAlternatives = 5000;

    /// <summary>Ollama limits the size of a grammar to this number of bytes, or to four times the size of the schema if that is more.</summary>
    private const int MinGrammarBytes = 32_768;

    private static readonly string[] _alternatives = ["anyOf", "oneOf", "allOf"];
    private static readonly string[] _definitions = ["$defs", "definitions"];
    private static readonly string[] _counts = ["minItems", "maxItems", "minLength", "maxLength"];
    private static readonly string[] _inner = ["items", "additionalProperties", "not", "contains", "if", "then", "else"];

    /// <param name="schema">A valid JSON schema.</param>
    /// <param name="param">The path of the schema in an error's <c>param</c>.</param>
    /// <param name="ct">Cancels the check when the client disconnects.</param>
    /// <returns>The number of visited nodes. Each is visited once; definitions with references to them twice.</returns>
    /// <exception cref="RequestRejectedException">The schema could crash Ollama.</exception>
    public static int Check(JsonElement schema, string param, CancellationToken ct)
    {
        var walk = new Walk(schema, param, ct);
        var size = walk.Visit(schema, prefix: 0, depth: 0);
        walk.Require(size <= Math.Max(MinGrammarBytes, 4L * JsonMarshal.GetRawUtf8Value(schema).Length), "it has too many properties");
        return walk.Visited;
    }

    private sealed class Walk(JsonElement root, string param, CancellationToken ct)
    {
        private readonly Dictionary<string, JsonElement> _defined = DefinitionsOf(root);

        /// <summary>The number of alternatives of each definition; 0 while it is being counted.</summary>
        private readonly Dictionary<string, int> _alternativesOf = new(StringComparer.Ordinal);

        public int Visited { get; private set; }

        public void Require(bool isValid, string reason)
        {
            if (!isValid)
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue(param, $"this model does not support the schema: {reason}"));
            }
        }

        private void Count()
        {
            ct.ThrowIfCancellationRequested();
            Require(++Visited <= MaxNodes, "it has too many parts");
        }

        /// <returns>The approximate size of the grammar in bytes.</returns>
        public long Visit(JsonElement schema, int prefix, int depth)
        {
            Require(depth <= MaxDepth, $"its nesting exceeds {MaxDepth} levels");
            Count();
            Require(schema.ValueKind != JsonValueKind.False, "a schema must not be false");
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
            Require(!schema.TryGetProperty("items", out var items) || items.ValueKind != JsonValueKind.False, "a schema must not be false");
            return size + VisitInner(schema, prefix, depth) + VisitAlternatives(schema, prefix, depth) + VisitDefinitions(schema, depth) + SizeOfEnum(schema);
        }

        private long VisitInner(JsonElement schema, int prefix, int depth)
        {
            var size = 0L;
            foreach (var name in _inner)
            {
                if (schema.TryGetProperty(name, out var inner) && inner.ValueKind == JsonValueKind.Object)
                {
                    size += Visit(inner, prefix + name.Length, depth + 1);
                }
            }

            return size;
        }

        private long VisitAlternatives(JsonElement schema, int prefix, int depth)
        {
            var size = 0L;
            foreach (var name in (string[])[.. _alternatives, "prefixItems"])
            {
                if (schema.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array)
                {
                    Require(list.GetArrayLength() > 0, $"{name} must not be empty");
                    foreach (var item in list.EnumerateArray())
                    {
                        size += prefix + 8 + Visit(item, prefix + 4, depth + 1);
                    }
                }
            }

            return size;
        }

        private long VisitDefinitions(JsonElement schema, int depth)
        {
            var size = 0L;
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

            return size;
        }

        private static long SizeOfEnum(JsonElement schema) => !schema.TryGetProperty("enum", out var values) || values.ValueKind != JsonValueKind.Array ? 0
            : values.EnumerateArray().Sum(static value => (2L * JsonMarshal.GetRawUtf8Value(value).Length) + 8);

        /// <summary>Ollama names the grammar rules of a property by its path. An optional property has twice as many rules.</summary>
        private long VisitProperties(JsonElement schema, int prefix, int depth)
        {
            if (!schema.TryGetProperty("properties", out var properties) || properties.ValueKind != JsonValueKind.Object)
            {
                return 0;
            }

            var required = schema.TryGetProperty("required", out var list) && list.ValueKind == JsonValueKind.Array
                ? list.EnumerateArray().Where(static name => name.ValueKind == JsonValueKind.String).Select(static name => name.GetString() ?? "").ToHashSet(StringComparer.Ordinal)
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
                    $"{name} must be between 0 and {MaxRepetitions}");
            }

            Require(!schema.TryGetProperty("type", out var type) || type.ValueKind != JsonValueKind.Array || type.GetArrayLength() > 0, "type must not be empty");
            Require(!schema.TryGetProperty("pattern", out var pattern) || (pattern.ValueKind == JsonValueKind.String && IsSupportedPattern(pattern.GetString() ?? "")),
                "a pattern can contain ^, letters, digits, '.', classes such as [a-z0-9_.-], each with a quantifier, and $");
        }

        /// <summary>
        /// Counts the alternatives that a reference resolves to. Circular references and too many alternatives are rejected. Each definition is expanded once, so the work does not grow exponentially with nested
        /// references.
        /// </summary>
        private int AlternativesOf(JsonElement reference, int depth)
        {
            Require(depth <= MaxDepth, $"its references exceed {MaxDepth} levels");
            var pointer = reference.ValueKind == JsonValueKind.String ? reference.GetString() ?? "" : "";
            if (_alternativesOf.TryGetValue(pointer, out var known))
            {
                Require(known > 0, "its references are circular");
                return known;
            }

            Require(_defined.TryGetValue(pointer, out var target), "a reference must be #/$defs/name of an existing definition");
            _alternativesOf[pointer] = 0;
            var count = Expand(target, depth);
            _alternativesOf[pointer] = count;
            return count;
        }

        private int Expand(JsonElement schema, int depth)
        {
            Require(depth <= MaxDepth, $"its references exceed {MaxDepth} levels");
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
                        Require(count <= MaxAlternatives, "it has too many alternatives at one position");
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

    private static bool IsSupportedPattern(string pattern) => pattern.Length <= 512 && Pattern().Match(pattern) is { Success: true } match
        && match.Groups["min"].Captures.Concat(match.Groups["max"].Captures).All(static count => int.Parse(count.ValueSpan, CultureInfo.InvariantCulture) <= MaxRepetitions)
        && Ranges().Matches(pattern).All(static range => int.Parse(range.Groups[1].ValueSpan, CultureInfo.InvariantCulture) <= int.Parse(range.Groups[2].ValueSpan, CultureInfo.InvariantCulture));

    [GeneratedRegex(@"\A\^(?:(?:[A-Za-z0-9 _@:/.-]|\\\.|\[(?:a-z|A-Z|0-9|[A-Za-z0-9_.@:/ ])+-?\])(?:[*+?]|\{(?<min>[0-9]{1,4})(?:,(?<max>[0-9]{1,4})?)?\})?)*\$\z", RegexOptions.NonBacktracking)]
    private static partial Regex Pattern();

    [GeneratedRegex(@"\{([0-9]{1,4}),([0-9]{1,4})\}")]
    private static partial Regex Ranges();
}
