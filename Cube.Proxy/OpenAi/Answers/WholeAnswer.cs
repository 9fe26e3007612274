using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Cube.Proxy.OpenAi.Answers.Responses;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.Routing;

namespace Cube.Proxy.OpenAi.Answers;

/// <summary>Turns a model server's whole answer into the one that OpenAI would give: what is known, in known form, and nothing else.</summary>
internal static class WholeAnswer
{
    private static readonly JsonDocumentOptions _options = new() { MaxDepth = 256 };

    /// <returns>What it cost.</returns>
    /// <exception cref="JsonException">It is no such answer.</exception>
    public static TokenUsage? Write(ReadOnlyMemory<byte> answer, InferenceEndpoint endpoint, ClientRequest request, DateTimeOffset now, ByteBuffer output)
    {
        var shape = RequestShapes.Of(endpoint);
        answer = WithoutByteOrderMark(answer);
        if (shape is NativeShape)
        {
            return NativeAnswer.Write(answer.Span, JsonSerializer.SerializeToUtf8Bytes(request.Model), output, out var cost, out _) ? cost : throw new JsonException("The model server gave an error.");
        }

        using var document = JsonDocument.Parse(answer, _options);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || root.Member("error") is not null)
        {
            throw new JsonException("The model server gave an error.");
        }

        try
        {
            return endpoint == InferenceEndpoints.Embeddings ? WriteEmbeddings(root, request, output)
                : endpoint == InferenceEndpoints.Responses ? ResponseAnswer.Write(root, UsageOf(root), request, now, output)
                : shape.Answer is { } members ? WriteKnown(root, members, request, output)
                : WriteChoices(root, endpoint, request, now, output);
        }
        catch (Exception exception) when (exception is InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new JsonException("The model server's answer has another shape.", exception);
        }
    }

    private static ReadOnlyMemory<byte> WithoutByteOrderMark(ReadOnlyMemory<byte> json) => json.Span is [0xEF, 0xBB, 0xBF, ..] ? json[3..] : json;

    private static TokenUsage? WriteChoices(JsonElement root, InferenceEndpoint endpoint, ClientRequest request, DateTimeOffset now, ByteBuffer output)
    {
        var isChat = endpoint == InferenceEndpoints.ChatCompletions;
        Append(output, $"{{\"id\":\"{(isChat ? "chatcmpl" : "cmpl")}-{Guid.CreateVersion7():N}\",\"object\":\"{(isChat ? "chat.completion" : "text_completion")}\",\"created\":{now.ToUnixTimeSeconds()},\"model\":");
        WriteModel(output, request);
        output.Append(",\"choices\":["u8);
        var choices = root.GetProperty("choices");
        if (choices.GetArrayLength() != request.Choices)
        {
            throw new JsonException("The model server made another number of choices.");
        }

        var index = 0;
        foreach (var choice in InOrder(choices))
        {
            output.Append(index == 0 ? default : ","u8).Append("{\"index\":"u8).Append(index++);
            var hasCalls = false;
            if (isChat)
            {
                output.Append(",\"message\":"u8);
                hasCalls = WriteMessage(choice.GetProperty("message"), request, output);
            }
            else
            {
                output.Append(",\"text\":"u8).Append(Raw(choice.GetProperty("text")));
            }

            output.Append(",\"logprobs\":"u8);
            WriteLogprobs(choice, isChat, output);
            var word = choice.GetProperty("finish_reason").GetString() ?? throw new JsonException("A choice has no end.");
            var reason = FinishReason.Of(Encoding.UTF8.GetBytes(word), hasCalls, request.ToolChoice);
            if (reason.IsEmpty)
            {
                throw new JsonException("A choice has no proper end.");
            }

            output.Append(",\"finish_reason\":"u8).Append(reason).Append("}"u8);
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

    private static void WriteLogprobs(JsonElement choice, bool isChat, ByteBuffer output)
    {
        if (choice.Member("logprobs") is not { ValueKind: JsonValueKind.Object } logprobs)
        {
            output.Append("null"u8);
        }
        else if (isChat)
        {
            Logprobs.Write(Raw(logprobs), output);
        }
        else
        {
            Logprobs.WriteOfCompletion(Raw(logprobs), output);
        }
    }

    /// <summary>The elements by their <c>index</c>; one without an index keeps its place.</summary>
    private static IEnumerable<JsonElement> InOrder(JsonElement elements) =>
        elements.EnumerateArray().Select(static (element, place) => (Element: element, Index: JsonBytes.Count(element.Member("index")) ?? place)).OrderBy(static item => item.Index).Select(static item => item.Element);

    /// <returns>Whether it calls tools.</returns>
    private static bool WriteMessage(JsonElement message, ClientRequest request, ByteBuffer output)
    {
        var calls = message.Member("tool_calls") is { ValueKind: JsonValueKind.Array } some && some.GetArrayLength() > 0 ? some : (JsonElement?)null;
        var content = message.Member("content");
        if (content is { } text && text.ValueKind != JsonValueKind.String)
        {
            throw new JsonException("The content is no text.");
        }

        var isCallDropped = calls is not null && request.ToolChoice == ToolChoice.None;
        output.Append("{\"role\":\"assistant\",\"content\":"u8)
            .Append(content is { } words && (calls is null || isCallDropped || !words.ValueEquals(""u8)) ? Raw(words) : isCallDropped ? "\"\""u8 : "null"u8)
            .Append(",\"refusal\":"u8).Append(message.Member("refusal") is { ValueKind: JsonValueKind.String } refusal ? Raw(refusal) : "null"u8);
        if ((TextOf(message, "reasoning") ?? TextOf(message, "reasoning_content")) is { } reasoning)
        {
            output.Append(",\"reasoning\":"u8).Append(Raw(reasoning));
        }

        var hasCalls = calls is { } list && WriteCalls(Raw(list), request, output);
        output.Append("}"u8);
        return hasCalls;
    }

    /// <returns>Whether the client gets any.</returns>
    private static bool WriteCalls(ReadOnlySpan<byte> list, ClientRequest request, ByteBuffer output)
    {
        var calls = new ToolCalls(request);
        var reader = new Utf8JsonReader(list);
        reader.Read();
        while (CallParts.TryReadNext(ref reader, list, out var part))
        {
            if (!calls.TryAddWhole(part, out var call))
            {
                throw new JsonException("A tool call has no name.");
            }

            if (call is not null)
            {
                output.Append(call.Place == 0 ? ",\"tool_calls\":["u8 : ","u8).Append("{\"id\":"u8).Append(call.Id)
                    .Append(",\"type\":\"function\",\"function\":{\"name\":"u8).Append(call.Name).Append(",\"arguments\":\""u8);
                (call.HasArguments ? call.WriteArguments(part, output) : output.Append("{}"u8)).Append("\"}}"u8);
            }
        }

        output.Append(calls.HasAny ? "]"u8 : default);
        return calls.HasAny;
    }

    /// <returns>The member where it is a text that is not empty.</returns>
    private static JsonElement? TextOf(JsonElement json, string name) =>
        json.Member(name) is { ValueKind: JsonValueKind.String } text && !text.ValueEquals(""u8) ? text : null;

    private static TokenUsage? WriteEmbeddings(JsonElement root, ClientRequest request, ByteBuffer output)
    {
        output.Append("{\"object\":\"list\",\"data\":["u8);
        if (root.Member("embeddings") is { } own)
        {
            return WriteOllamaEmbeddings(own, root, request, output);
        }

        var index = 0;
        foreach (var item in InOrder(root.GetProperty("data")))
        {
            output.Append(index == 0 ? default : ","u8).Append("{\"object\":\"embedding\",\"index\":"u8).Append(index++).Append(",\"embedding\":"u8);
            Embedding.Write(item.GetProperty("embedding"), request.WantsBase64, output);
            output.Append("}"u8);
        }

        return EndEmbeddings(UsageOf(root) ?? default, request, output);
    }

    private static TokenUsage EndEmbeddings(TokenUsage usage, ClientRequest request, ByteBuffer output)
    {
        output.Append("],\"model\":"u8);
        WriteModel(output, request);
        output.Append(",\"usage\":"u8);
        usage.Write(output, isOfText: false);
        output.Append("}"u8);
        return usage;
    }

    /// <summary>As Ollama's own endpoint has them: arrays of numbers.</summary>
    private static TokenUsage WriteOllamaEmbeddings(JsonElement embeddings, JsonElement root, ClientRequest request, ByteBuffer output)
    {
        var index = 0;
        foreach (var embedding in embeddings.EnumerateArray())
        {
            output.Append(index == 0 ? default : ","u8).Append("{\"object\":\"embedding\",\"index\":"u8).Append(index++).Append(",\"embedding\":"u8);
            Embedding.Write(embedding, request.WantsBase64, output);
            output.Append("}"u8);
        }

        return EndEmbeddings(new TokenUsage(JsonBytes.Count(root.Member("prompt_eval_count")) ?? 0, 0), request, output);
    }

    /// <summary>An answer that OpenAI does not have: the members that it is known for, as they are.</summary>
    private static TokenUsage? WriteKnown(JsonElement root, IReadOnlyList<string> members, ClientRequest request, ByteBuffer output)
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
            switch (name)
            {
                case "id":
                    Append(output, $"\"{Guid.CreateVersion7():N}\"");
                    break;
                case "model":
                    WriteModel(output, request);
                    break;
                case "usage":
                    (UsageOf(root) ?? default).Write(output, isOfText: false);
                    break;
                case "details":
                    ModelDetails.Write(root.GetProperty(name), output);
                    break;
                default:
                    output.Append(Raw(root.GetProperty(name)));
                    break;
            }
        }

        if (isFirst || (members.Contains("data") && !root.TryGetProperty("data", out _)))
        {
            throw new JsonException("The model server's answer has none of its members.");
        }

        output.Append("}"u8);
        return UsageOf(root);
    }

    private static TokenUsage? UsageOf(JsonElement root)
    {
        if (root.Member("usage") is not { ValueKind: JsonValueKind.Object } usage)
        {
            return null;
        }

        var reader = new Utf8JsonReader(Raw(usage));
        return TokenUsage.Read(ref reader);
    }

    private static void WriteModel(ByteBuffer output, ClientRequest request) => Append(output, JsonSerializer.Serialize(request.Model));

    private static void Append(ByteBuffer output, string text) => output.Append(Encoding.UTF8.GetBytes(text));

    private static ReadOnlySpan<byte> Raw(JsonElement element) => JsonMarshal.GetRawUtf8Value(element);
}
