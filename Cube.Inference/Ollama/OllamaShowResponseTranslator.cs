using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>Translates the response of <c>/api/show</c>. The Modelfile and the system prompt are omitted, because they can contain the path of the weights and prompts of the operator.</summary>
internal sealed class OllamaShowResponseTranslator() : KnownMembersTranslator("license", "parameters", "template", "details", "model_info", "capabilities", "modified_at")
{
    protected override void WriteMember(string name, JsonElement root, ClientRequest request, ByteBuffer output)
    {
        if (name == "details")
        {
            ModelDetails.Write(root.GetProperty(name), output);
        }
        else
        {
            base.WriteMember(name, root, request, output);
        }
    }
}
