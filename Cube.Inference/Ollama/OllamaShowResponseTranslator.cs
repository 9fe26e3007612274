using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>Translates the response of <c>/api/show</c>. The Modelfile stays inside because it names the path of the weights and may hold an operator's prompts.</summary>
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
