using System.Text;
using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>Translates the response of a chat or a completion: a list of choices.</summary>
/// <param name="objectName">The response's <c>object</c>.</param>
/// <param name="idPrefix">The beginning of the response's <c>id</c>.</param>
internal abstract class ChoicesResponseTranslator(string objectName, string idPrefix) : JsonResponseTranslator
{
    protected sealed override TokenUsage? Write(JsonElement root, ClientRequest request, DateTimeOffset now, ByteBuffer output)
    {
        Append(output, $"{{\"id\":\"{idPrefix}{Guid.CreateVersion7():N}\",\"object\":\"{objectName}\",\"created\":{now.ToUnixTimeSeconds()},\"model\":");
        WriteModel(output, request);
        output.Append(",\"choices\":["u8);
        var choices = root.GetProperty("choices");
        if (choices.GetArrayLength() != request.Choices)
        {
            throw new JsonException("The number of choices differs from the request.");
        }

        var index = 0;
        foreach (var choice in InOrder(choices))
        {
            output.Append(index == 0 ? default : ","u8).Append("{\"index\":"u8).Append(index++);
            WriteChoice(choice, request, output);
            output.Append("}"u8);
        }

        output.Append("]"u8);
        var usage = UsageOf(root);
        if (usage is { } known)
        {
            output.Append(",\"usage\":"u8);
            known.Write(output);
        }

        output.Append("}"u8);
        return usage;
    }

    private void WriteChoice(JsonElement choice, ClientRequest request, ByteBuffer output)
    {
        var hasCalls = WriteContent(choice, request, output);
        output.Append(",\"logprobs\":"u8);
        if (choice.Member("logprobs") is { ValueKind: JsonValueKind.Object } logprobs)
        {
            WriteLogprobs(Raw(logprobs), output);
        }
        else
        {
            output.Append("null"u8);
        }

        var finish = choice.GetProperty("finish_reason").GetString() ?? throw new JsonException("A choice has no finish_reason.");
        var reason = FinishReason.Of(Encoding.UTF8.GetBytes(finish), hasCalls, request.ToolChoice);
        if (reason.IsEmpty)
        {
            throw new JsonException("A choice has an unknown finish_reason.");
        }

        output.Append(",\"finish_reason\":"u8).Append(reason);
    }

    /// <summary>Writes the member with the content of the choice, preceded by a comma.</summary>
    /// <returns>Whether the choice has tool calls.</returns>
    protected abstract bool WriteContent(JsonElement choice, ClientRequest request, ByteBuffer output);

    protected abstract void WriteLogprobs(ReadOnlySpan<byte> logprobs, ByteBuffer output);
}
