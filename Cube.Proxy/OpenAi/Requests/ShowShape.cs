using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>
/// <c>POST /api/show</c>: what Ollama knows of a model. Not its Modelfile, which names the path of the weights, nor the prompts that an
/// operator has built into it.
/// </summary>
internal sealed class ShowShape : RequestShape
{
    protected override FieldRules Rules { get; } = new(Common(("name", FieldRule.Own()), ("verbose", FieldRule.Drop(Checks.Boolean))));

    public override IReadOnlyList<string> Answer { get; } = ["license", "parameters", "template", "details", "model_info", "capabilities", "modified_at"];

    protected override JsonElement ModelOf(JsonElement request) => ModelOrName(request);

    protected override void WriteOwn(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        if (target.Kind != BackendKind.Ollama)
        {
            throw new RefusedException(OpenAiError.NotServed);
        }
    }
}
