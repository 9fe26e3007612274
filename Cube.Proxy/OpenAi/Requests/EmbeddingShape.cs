using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>
/// <c>POST /v1/embeddings</c>. Behind that path Ollama cuts an input that is longer than the context in silence; behind its own it can be
/// told not to, so that is asked.
/// </summary>
internal sealed class EmbeddingShape : RequestShape
{
    private const int MostInputs = 2048;

    protected override FieldRules Rules { get; } = new(Common(
        ("input", FieldRule.Own(CheckInput)),
        ("encoding_format", FieldRule.Own(Checks.OneOf("float", "base64"))),
        ("dimensions", FieldRule.Pass(Checks.Integer(1, int.MaxValue)))));

    public override ClientRequest Read(JsonElement request) => base.Read(request) with { WantsBase64 = request.Member("encoding_format") is { } format && format.ValueEquals("base64"u8) };

    protected override void CheckOwn(JsonElement request) => request.Required("input", "input");

    protected override void WriteOwn(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        var input = request.GetProperty("input");
        if (target.Kind != BackendKind.Vllm && input.ValueKind == JsonValueKind.Array && input[0].ValueKind != JsonValueKind.String)
        {
            throw new RefusedException(OpenAiError.UnsupportedValue("input", "this model takes text, not tokens"));
        }

        json.WriteRaw("input", input);
        if (target.Kind == BackendKind.Ollama)
        {
            json.WriteBoolean("truncate", false);
        }
        else if (request.Member("encoding_format") is { } format)
        {
            json.WriteRaw("encoding_format", format);
        }
    }

    private static void CheckInput(JsonElement input, string param)
    {
        if (input.ValueKind == JsonValueKind.String)
        {
            Checks.Value(!input.ValueEquals(""u8), param, "it is empty");
            return;
        }

        Checks.Type(input.ValueKind == JsonValueKind.Array, param, "a string or an array");
        Checks.Value(input.GetArrayLength() is > 0 and var length && length <= MostInputs, param, $"it has 1 to {MostInputs} items");
        var kind = input[0].ValueKind;
        foreach (var item in input.EnumerateArray())
        {
            Checks.Value(item.ValueKind == kind, param, "its items are all of one kind");
            if (kind == JsonValueKind.String)
            {
                Checks.Value(!item.ValueEquals(""u8), param, "an item is empty");
            }
            else if (kind == JsonValueKind.Array)
            {
                Checks.Value(item.GetArrayLength() > 0 && item.EnumerateArray().All(static token => token.ValueKind == JsonValueKind.Number), param, "an item is no array of tokens");
            }
            else
            {
                Checks.Type(kind == JsonValueKind.Number, param, "a string, an array of strings, or tokens");
            }
        }
    }
}
