using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary><c>POST /v1/completions</c>, the old endpoint.</summary>
internal sealed class CompletionShape : RequestShape
{
    protected override FieldRules Rules { get; } = new(Common(
    [
        .. Sampling,
        ("prompt", FieldRule.Own(CheckPrompt)),
        ("suffix", new FieldRule(Checks.Text, Fate.Pass, Fate.Refuse)),
        ("max_tokens", FieldRule.Pass(Checks.Integer(1, int.MaxValue))),
        ("logprobs", new FieldRule(Checks.Integer(0, 5), Fate.Refuse, Fate.Pass)),
        ("best_of", FieldRule.Drop(Checks.Integer(1, 1))),
        ("echo", FieldRule.Drop(Checks.UnsupportedTrue)),
    ]));

    public override ClientRequest Read(JsonElement request) => ReadSampling(request, base.Read(request));

    protected override void CheckOwn(JsonElement request)
    {
        request.Required("prompt", "prompt");
        CheckStream(request);
    }

    protected override void WriteOwn(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        var prompt = request.GetProperty("prompt");
        if (target.Kind != BackendKind.Vllm && prompt.ValueKind == JsonValueKind.Array)
        {
            if (prompt.GetArrayLength() != 1 || prompt[0].ValueKind != JsonValueKind.String)
            {
                throw new RefusedException(OpenAiError.UnsupportedValue("prompt", "this model takes one text"));
            }

            prompt = prompt[0];
        }

        json.WriteRaw("prompt", prompt);
        WriteSampling(request, json, target.Kind);
    }

    private static void CheckPrompt(JsonElement prompt, string param)
    {
        if (prompt.ValueKind == JsonValueKind.String)
        {
            return;
        }

        // More than one prompt would be several answers, whose choices no client could tell apart here.
        Checks.Type(prompt.ValueKind == JsonValueKind.Array, param, "a string or an array");
        Checks.Value(prompt.GetArrayLength() > 0, param, "it is empty");
        var first = prompt[0];
        if (first.ValueKind == JsonValueKind.Number)
        {
            Checks.Tokens(prompt, param);
            return;
        }

        Checks.Value(prompt.GetArrayLength() == 1, param, "one prompt at a time");
        if (first.ValueKind == JsonValueKind.Array)
        {
            Checks.Value(first.GetArrayLength() > 0, $"{param}[0]", "it is empty");
            Checks.Tokens(first, $"{param}[0]");
        }
        else
        {
            Checks.Text(first, $"{param}[0]");
        }
    }
}
