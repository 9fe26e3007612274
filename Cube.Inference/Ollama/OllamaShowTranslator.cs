using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>
/// <c>POST /api/show</c>: what Ollama knows of a model. Not its Modelfile, which names the path of the weights, nor the prompts that an
/// operator has built into it.
/// </summary>
internal sealed class OllamaShowTranslator : JsonRequestTranslator
{
    internal override FieldRules Rules { get; } = RulesOf(("name", FieldRule.Translate()), ("verbose", FieldRule.Drop(FieldChecks.Boolean)));

    public override BackendFeatures RequiredFeatures => BackendFeatures.OllamaApi;

    internal override JsonElement ModelOf(JsonElement request) => OllamaMembers.ModelOrName(request);
}
