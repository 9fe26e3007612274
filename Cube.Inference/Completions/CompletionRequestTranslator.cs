using System.Text.Json;
using Cube.Inference.Chat;

namespace Cube.Inference.Completions;

/// <summary>Translates requests to <c>POST /v1/completions</c>.</summary>
internal sealed class CompletionRequestTranslator : JsonRequestTranslator
{
    public override IReadOnlyList<(string Backend, string Client)> ParameterNames { get; } = [("messages", "prompt")];

    internal override FieldRules Rules { get; } = RulesOf(
    [
        .. Sampling.Rules,
        ("prompt", FieldRule.Translate(CheckPrompt)),
        ("suffix", FieldRule.Pass(FieldChecks.String).Requires(BackendFeatures.Suffix)),
        ("max_tokens", FieldRule.Pass(FieldChecks.Integer(1, int.MaxValue))),
        ("logprobs", FieldRule.Pass(FieldChecks.Integer(0, 5)).Requires(BackendFeatures.CompletionLogprobs)),
        ("best_of", FieldRule.Drop(FieldChecks.Integer(1, 1))),
        ("echo", FieldRule.Drop(FieldChecks.UnsupportedTrue)),
    ]);

    internal override ClientRequest Read(JsonElement request) => Sampling.Read(request, base.Read(request));

    internal override void CheckMembers(JsonElement request)
    {
        request.Required("prompt", "prompt");
        Sampling.CheckStreamOptions(request);
    }

    internal override void WriteMembers(JsonElement request, Utf8JsonWriter json, BackendProtocol backend, CancellationToken ct)
    {
        var prompt = request.GetProperty("prompt");
        if (!backend.Supports(BackendFeatures.TokenInput) && prompt.ValueKind == JsonValueKind.Array)
        {
            if (prompt.GetArrayLength() != 1 || prompt[0].ValueKind != JsonValueKind.String)
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue("prompt", "this model supports only one prompt, as text"));
            }

            prompt = prompt[0];
        }

        json.WriteRaw("prompt", prompt);
        Sampling.Write(request, json, backend);
    }

    private static void CheckPrompt(JsonElement prompt, string param)
    {
        if (prompt.ValueKind == JsonValueKind.String)
        {
            return;
        }

        // Several prompts are rejected: their choices could not be assigned to the prompts.
        FieldChecks.RequireType(prompt.ValueKind == JsonValueKind.Array, param, "a string or an array");
        FieldChecks.Require(prompt.GetArrayLength() > 0, param, "it must not be empty");
        var first = prompt[0];
        if (first.ValueKind == JsonValueKind.Number)
        {
            FieldChecks.Tokens(prompt, param);
            return;
        }

        FieldChecks.Require(prompt.GetArrayLength() == 1, param, "only one prompt is supported");
        if (first.ValueKind == JsonValueKind.Array)
        {
            FieldChecks.Require(first.GetArrayLength() > 0, $"{param}[0]", "it must not be empty");
            FieldChecks.Tokens(first, $"{param}[0]");
        }
        else
        {
            FieldChecks.String(first, $"{param}[0]");
        }
    }
}
