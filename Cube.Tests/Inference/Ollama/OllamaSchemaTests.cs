using System.Text.Json;
using Cube.Inference.Errors;
using Cube.Inference.Ollama;

namespace Cube.Tests.Inference.Ollama;

/// <summary>The proxy rejects schemas that crash Ollama and accepts other schemas.</summary>
public sealed class OllamaSchemaTests
{
    public static IEnumerable<string> Patterns => ["^[a-z]+$", "^[A-Z][a-z0-9_.@-]{1,20}$", "^a{3}$", "^v[0-9]+\\.[0-9]*$", "^$", "^.*$", "^2[0-9]{3}-[0-9]{2}$"];

    public static IEnumerable<string> DeadlyPatterns =>
        ["[", "a", "^a", "", "^(a$", "^[a-$", "^(?=x)y$", "^*$", "^a**$", "^\\d+$", "^\\w$", "^[\\d]$", "^\\p{L}$", "^a{2,1}$", "^a{1,99999}$", "^a{1,1001}$", "^(a|b)$", "^[]$", "^[z-a]$", "^\"$", "^a\n$", new string('a', 600)];

    public static TheoryData<string> Good =>
    [
        "{}", """{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}""",
        """{"$defs":{"x":{"type":"object","properties":{"next":{"$ref":"#/$defs/x"}}}},"type":"object","properties":{"a":{"$ref":"#/$defs/x"},"b":{"anyOf":[{"$ref":"#/$defs/x"},{"type":"null"}]}}}""",
        """{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"},"maxItems":1000},"b":{"type":"string","minLength":1,"maxLength":200},"c":{"enum":["a",1,null]},"d":{"type":["string","null"]}}}""",
        Properties(150), Properties(400, isRequired: true), Nested(45), .. Patterns.Select(Pattern),
    ];

    public static TheoryData<string> Deadly =>
    [
        Properties(300), Properties(80, length: 60), Nested(60),
        """{"type":"array","maxItems":10000}""", """{"type":"array","maxItems":-1}""", """{"type":"string","maxLength":100000}""", """{"type":"string","minLength":"x"}""", """{"type":[]}""",
        """{"anyOf":[]}""", """{"properties":{"a":{"oneOf":[]}}}""", """{"$ref":"https://example.com/x"}""", """{"$ref":"#/$defs/nope"}""", """{"$ref":"#"}""", """{"$ref":5}""",
        """{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"properties":{"x":{"$ref":"#/$defs/a"}}}""",
        """{"$defs":{"a":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/a"}]}},"properties":{"x":{"$ref":"#/$defs/a"}}}""",
        string.Concat(Enumerable.Repeat("""{"type":"array","items":""", 100)) + "{}" + new string('}', 100),
        .. DeadlyPatterns.Select(Pattern),
    ];

    [Theory]
    [MemberData(nameof(Good))]
    public void A_schema_that_Ollama_supports_is_accepted(string schema) => OllamaSchema.Check(Parse(schema), "response_format", CancellationToken.None);

    [Theory]
    [MemberData(nameof(Deadly))]
    public void A_schema_that_crashes_Ollama_is_rejected(string schema)
    {
        var error = Assert.Throws<RequestRejectedException>(() => OllamaSchema.Check(Parse(schema), "response_format", CancellationToken.None)).Error;
        Assert.Equal((400, "unsupported_value", "response_format"), (error.Status, error.Code, error.Param));
    }

    private static JsonElement Parse(string schema) => JsonElement.Parse(schema, new JsonDocumentOptions { MaxDepth = 256 });

    internal static string Properties(int count, int length = 8, bool isRequired = false)
    {
        var names = Enumerable.Range(0, count).Select(i => $"\"m{i.ToString(System.Globalization.CultureInfo.InvariantCulture).PadLeft(length - 1, '0')}\"").ToList();
        return $"{{\"type\":\"object\",\"properties\":{{{string.Join(',', names.Select(static name => $"{name}:{{\"type\":\"string\"}}"))}}},\"required\":[{(isRequired ? string.Join(',', names) : "")}]}}";
    }

    internal static string Pattern(string pattern) => $"{{\"type\":\"object\",\"properties\":{{\"a\":{{\"type\":\"string\",\"pattern\":{JsonSerializer.Serialize(pattern)}}}}},\"required\":[\"a\"]}}";

    private static string Nested(int depth) => string.Concat(Enumerable.Repeat("""{"type":"object","required":["x"],"properties":{"x":""", depth)) + "{}" + string.Concat(Enumerable.Repeat("}}", depth));
}
