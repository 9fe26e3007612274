using System.Text.Json;
using Cube.Inference.Errors;
using Cube.Inference.Ollama;

namespace Cube.Tests.Inference.Ollama;

/// <summary>The number of steps of a schema check grows linearly with the schema and has a limit.</summary>
public sealed class OllamaSchemaWorkTests
{
    internal static string Doubling(int depth, string member = "anyOf") =>
        $$"""{"$defs":{{{string.Join(',', Enumerable.Range(0, depth).Select(i => $$"""  "d{{i}}":{"{{member}}":[{"$ref":"#/$defs/d{{i + 1}}"},{"$ref":"#/$defs/d{{i + 1}}"}]} """))}},"d{{depth}}":{"type":"string"} },"type":"object","properties":{"a":{"$ref":"#/$defs/d0"} } }""";

    private static string Chain(int length) =>
        $$"""{"$defs":{{{string.Join(',', Enumerable.Range(0, length).Select(static i => $$"""  "d{{i}}":{"$ref":"#/$defs/d{{i + 1}}"} """))}},"d{{length}}":{"type":"string"} },"type":"object","properties":{"a":{"$ref":"#/$defs/d0"} } }""";

    private static string References(int count) =>
        $$"""{"$defs":{"x":{"type":"string"} },"type":"object","required":[{{string.Join(',', Enumerable.Range(0, count).Select(static i => $"\"p{i}\""))}}],"properties":{{{string.Join(',', Enumerable.Range(0, count).Select(static i => $$""" "p{{i}}":{"$ref":"#/$defs/x"} """))}}} }""";

    private static JsonElement Parse(string schema) => JsonElement.Parse(schema, new JsonDocumentOptions { MaxDepth = 256 });

    [Theory]
    [InlineData("anyOf")]
    [InlineData("oneOf")]
    [InlineData("allOf")]
    public void A_schema_definition_is_visited_once(string member) =>
        Assert.InRange(OllamaSchema.Check(Parse(Doubling(10, member)), "format", CancellationToken.None), 10, 200);

    public static MatrixTheoryData<string, int> Exponential { get; } = new(["anyOf", "oneOf", "allOf"], [16, 21, 49, 200, 20_000]);

    [Theory]
    [MemberData(nameof(Exponential))]
    public void A_schema_with_exponential_references_is_rejected(string member, int depth)
    {
        var rejected = Assert.Throws<RequestRejectedException>(() => OllamaSchema.Check(Parse(Doubling(depth, member)), "format", CancellationToken.None));
        Assert.Equal("unsupported_value", rejected.Error.Code);
    }

    [Fact]
    public void The_steps_of_a_schema_check_grow_linearly_up_to_a_limit()
    {
        var (small, large) = (OllamaSchema.Check(Parse(References(30)), "format", CancellationToken.None), OllamaSchema.Check(Parse(References(300)), "format", CancellationToken.None));
        Assert.InRange(large, small, 10 * small);
        Assert.Throws<RequestRejectedException>(static () => OllamaSchema.Check(Parse(References(100_000)), "format", CancellationToken.None));
        Assert.Throws<RequestRejectedException>(static () => OllamaSchema.Check(Parse(Chain(100_000)), "format", CancellationToken.None));
        Assert.True(OllamaSchema.Check(Parse(Chain(30)), "format", CancellationToken.None) < 200);
    }

    [Fact]
    public void The_schema_check_ends_when_the_client_disconnects() =>
        Assert.Throws<OperationCanceledException>(() => OllamaSchema.Check(Parse(References(10)), "format", new CancellationToken(canceled: true)));
}
