using System.Text.Json;

namespace Cube.Inference.Embeddings;

/// <summary>Translates requests to <c>POST /v1/embeddings</c>.</summary>
internal sealed class EmbeddingRequestTranslator : JsonRequestTranslator
{
    /// <summary>The limit of OpenAI's API.</summary>
    private const int MaxInputs = 2048;

    public override IReadOnlyList<(string Backend, string Client)> ParameterNames { get; } = [("messages", "input")];

    internal override FieldRules Rules { get; } = RulesOf(
        ("input", FieldRule.Translate(CheckInput)),
        ("encoding_format", FieldRule.Translate(FieldChecks.OneOf("float", "base64"))),
        ("dimensions", FieldRule.Pass(FieldChecks.Integer(1, int.MaxValue))));

    internal override ClientRequest Read(JsonElement request) => base.Read(request) with { UsesBase64 = request.Member("encoding_format") is { } format && format.ValueEquals("base64"u8) };

    internal override void CheckMembers(JsonElement request) => request.Required("input", "input");

    internal override void WriteMembers(JsonElement request, Utf8JsonWriter json, BackendProtocol backend, CancellationToken ct)
    {
        var input = request.GetProperty("input");
        if (!backend.Supports(BackendFeatures.TokenInput) && input.ValueKind == JsonValueKind.Array && input[0].ValueKind != JsonValueKind.String)
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedValue("input", "this model supports text, not tokens"));
        }

        json.WriteRaw("input", input);
        backend.WriteEmbeddingOptions(request, json);
    }

    private static void CheckInput(JsonElement input, string param)
    {
        if (input.ValueKind == JsonValueKind.String)
        {
            FieldChecks.Require(!input.ValueEquals(""u8), param, "it must not be empty");
            return;
        }

        FieldChecks.RequireType(input.ValueKind == JsonValueKind.Array, param, "a string or an array");
        FieldChecks.Require(input.GetArrayLength() is > 0 and var length && length <= MaxInputs, param, $"it must have 1 to {MaxInputs} items");
        var kind = input[0].ValueKind;
        foreach (var item in input.EnumerateArray())
        {
            FieldChecks.Require(item.ValueKind == kind, param, "all items must have the same type");
            if (kind == JsonValueKind.String)
            {
                FieldChecks.Require(!item.ValueEquals(""u8), param, "an item must not be empty");
            }
            else if (kind == JsonValueKind.Array)
            {
                FieldChecks.Require(item.GetArrayLength() > 0 && item.EnumerateArray().All(static token => token.ValueKind == JsonValueKind.Number), param, "an item must be an array of tokens");
            }
            else
            {
                FieldChecks.RequireType(kind == JsonValueKind.Number, param, "a string, an array of strings, or tokens");
            }
        }
    }
}
