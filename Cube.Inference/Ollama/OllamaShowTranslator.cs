using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>Translates requests to <c>POST /api/show</c>, which returns the properties of a model.</summary>
internal sealed class OllamaShowTranslator : JsonRequestTranslator
{
    internal override FieldRules Rules { get; } = RulesOf(("name", FieldRule.Translate()), ("verbose", FieldRule.Drop(FieldChecks.Boolean)));

    public override BackendFeatures RequiredFeatures => BackendFeatures.OllamaApi;

    internal override JsonElement ModelOf(JsonElement request) => OllamaMembers.ModelOrName(request);
}
