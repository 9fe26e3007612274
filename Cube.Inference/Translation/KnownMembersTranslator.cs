using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>Translates a response of an endpoint that OpenAI's API does not have, by copying the known members. Cube generates <c>id</c>, and <c>model</c> is the name that the client used.</summary>
/// <param name="members">The known members, in the order of the response.</param>
internal class KnownMembersTranslator(params string[] members) : JsonResponseTranslator
{
    protected override TokenUsage? Write(JsonElement root, ClientRequest request, DateTimeOffset now, ByteBuffer output)
    {
        var isFirst = true;
        foreach (var name in members)
        {
            if (name is not ("id" or "model") && root.Member(name) is null)
            {
                continue;
            }

            Append(output, $"{(isFirst ? "{" : ",")}\"{name}\":");
            isFirst = false;
            WriteMember(name, root, request, output);
        }

        if (isFirst || (members.Contains("data") && !root.TryGetProperty("data", out _)))
        {
            throw new JsonException("The model server's response has none of the known members.");
        }

        output.Append("}"u8);
        return UsageOf(root);
    }

    protected virtual void WriteMember(string name, JsonElement root, ClientRequest request, ByteBuffer output)
    {
        switch (name)
        {
            case "id":
                Append(output, $"\"{Guid.CreateVersion7():N}\"");
                break;
            case "model":
                WriteModel(output, request);
                break;
            case "usage":
                (UsageOf(root) ?? default).Write(output, includesCompletion: false);
                break;
            default:
                output.Append(Raw(root.GetProperty(name)));
                break;
        }
    }
}
