using System.Text;
using System.Text.Json;
using Cube.Inference.Chat;

namespace Cube.Inference.Responses;

/// <summary>The object <c>response</c>: of a whole answer, and of the first and last events of a stream.</summary>
internal sealed class ResponsesObject(ClientRequest request, DateTimeOffset now) : IDisposable
{
    /// <summary>What a response says is held until it ends; nothing says more.</summary>
    private const int MostText = 64 << 20;

    private readonly byte[] _head = Encoding.UTF8.GetBytes(
        $"{{\"id\":\"resp_{Guid.CreateVersion7():N}\",\"object\":\"response\",\"created_at\":{now.ToUnixTimeSeconds()},\"model\":{JsonSerializer.Serialize(request.Model)}");

    private readonly List<ResponsesItem> _callItems = [];
    private int _length;

    public List<ResponsesItem> Items { get; } = [];

    public ToolCalls Calls { get; } = new(request);

    /// <summary><c>stop</c>, <c>tool_calls</c>, <c>length</c> or <c>content_filter</c>, with quotes.</summary>
    public byte[] Finish { get; private set; } = [];

    public bool IsCut => FinishReason.IsCut(Finish);

    private ReadOnlySpan<byte> Status => IsCut ? "incomplete"u8 : "completed"u8;

    /// <summary>The item that the text goes to: the last one, where it is of the kind; else a new one.</summary>
    public ResponsesItem ItemFor(ResponsesItemKind kind, out bool isNew)
    {
        isNew = Items is not [.., { IsDone: false } last] || last.Kind != kind;
        if (isNew)
        {
            Items.Add(ResponsesItem.Of(kind, Items.Count));
        }

        return Items[^1];
    }

    /// <summary>The item of a call; a new one at its first part.</summary>
    public ResponsesItem ItemFor(ToolCall call)
    {
        if (call.Place == _callItems.Count)
        {
            _callItems.Add(ResponsesItem.OfCall(Items.Count, call));
            Items.Add(_callItems[^1]);
        }

        return _callItems[call.Place];
    }

    /// <returns>False where there is too much of it.</returns>
    public bool TryCount(int length) => (_length += length) <= MostText;

    /// <param name="word">The model server's reason, with quotes.</param>
    /// <returns>False where it is no proper end, or a call has no name though the answer was not cut.</returns>
    public bool TryFinish(ReadOnlySpan<byte> word)
    {
        Finish = word.Length > 2 ? FinishReason.Of(word[1..^1], Calls.HasAny, request.ToolChoice).ToArray() : [];
        return Finish.Length > 0 && (Calls.AreNamed || IsCut);
    }

    /// <summary>What an item is when the response ends: cut, where it is the last of one that is.</summary>
    public ReadOnlySpan<byte> StatusOf(ResponsesItem item) => item == Items[^1] ? Status : "completed"u8;

    public void WriteBegun(ByteBuffer output)
    {
        output.Append(_head).Append(",\"status\":\"in_progress\",\"completed_at\":null,\"error\":null,\"incomplete_details\":null,\"output\":[]"u8).Append(request.Echo.Span).Append("}"u8);
    }

    public void WriteEnded(ByteBuffer output, TokenUsage? usage, DateTimeOffset at)
    {
        output.Append(_head).Append(",\"status\":\""u8).Append(Status).Append("\",\"completed_at\":"u8);
        if (Status.SequenceEqual("completed"u8))
        {
            output.Append(at.ToUnixTimeSeconds()).Append(",\"error\":null,\"incomplete_details\":null,\"output\":["u8);
        }
        else
        {
            output.Append("null,\"error\":null,\"incomplete_details\":{\"reason\":"u8)
                .Append(Finish.AsSpan().SequenceEqual("\"length\""u8) ? "\"max_output_tokens\""u8 : Finish).Append("},\"output\":["u8);
        }

        foreach (var item in Items)
        {
            output.Append(item.Index == 0 ? default : ","u8);
            item.Write(output, StatusOf(item));
        }

        output.Append("]"u8).Append(request.Echo.Span);
        if (usage is { } cost)
        {
            output.Append(",\"usage\":{\"input_tokens\":"u8).Append(cost.Prompt)
                .Append(",\"input_tokens_details\":{\"cached_tokens\":"u8).Append(cost.Cached ?? 0).Append(",\"cache_write_tokens\":0},\"output_tokens\":"u8).Append(cost.Completion)
                .Append(",\"output_tokens_details\":{\"reasoning_tokens\":"u8).Append(cost.Reasoning ?? 0).Append("},\"total_tokens\":"u8).Append(cost.Total).Append("}"u8);
        }

        output.Append("}"u8);
    }

    public void Dispose() => Items.ForEach(static item => item.Dispose());
}
