using System.Text;
using System.Text.Json;
using Cube.Inference.Chat;

namespace Cube.Inference.Responses;

/// <summary>The object <c>response</c>: the buffered response, and the payload of the first and last events of a stream.</summary>
internal sealed class ResponsesObject(ClientRequest request, DateTimeOffset now) : IDisposable
{
    /// <summary>Maximum size of the deltas in bytes; the response is buffered until it ends.</summary>
    private const int MaxTextBytes = 64 << 20;

    private readonly byte[] _head = Encoding.UTF8.GetBytes(
        $"{{\"id\":\"resp_{Guid.CreateVersion7():N}\",\"object\":\"response\",\"created_at\":{now.ToUnixTimeSeconds()},\"model\":{JsonSerializer.Serialize(request.Model)}");

    private readonly List<ResponsesItem> _callItems = [];
    private int _length;

    public List<ResponsesItem> Items { get; } = [];

    public ToolCalls Calls { get; } = new(request);

    /// <summary>A result of <see cref="FinishReason.Of"/>; empty until the response ends.</summary>
    public byte[] Finish { get; private set; } = [];

    public bool IsIncomplete => FinishReason.IsIncomplete(Finish);

    private ReadOnlySpan<byte> Status => IsIncomplete ? "incomplete"u8 : "completed"u8;

    /// <summary>The item for text of the kind: the last item if it is open and of that kind, otherwise a new one.</summary>
    public ResponsesItem ItemFor(ResponsesItemKind kind, out bool isNew)
    {
        isNew = Items is not [.., { IsDone: false } last] || last.Kind != kind;
        if (isNew)
        {
            Items.Add(ResponsesItem.Of(kind, Items.Count));
        }

        return Items[^1];
    }

    /// <summary>The item of the call. The first request for a call adds the item.</summary>
    public ResponsesItem ItemFor(ToolCall call)
    {
        if (call.OutputIndex == _callItems.Count)
        {
            _callItems.Add(ResponsesItem.OfCall(Items.Count, call));
            Items.Add(_callItems[^1]);
        }

        return _callItems[call.OutputIndex];
    }

    /// <returns>False if the total exceeds the limit.</returns>
    public bool TryAddLength(int length) => (_length += length) <= MaxTextBytes;

    /// <param name="reason">The model server's finish reason, with quotes.</param>
    /// <returns>False if the reason is unknown, or if a call has no name although the response is complete.</returns>
    public bool TryFinish(ReadOnlySpan<byte> reason)
    {
        Finish = reason.Length > 2 ? FinishReason.Of(reason[1..^1], Calls.HasAny, request.ToolChoice).ToArray() : [];
        return Finish.Length > 0 && (Calls.AllHaveNames || IsIncomplete);
    }

    /// <summary>The status of an item when the response ends. Only the last item of a truncated response is incomplete.</summary>
    public ReadOnlySpan<byte> StatusOf(ResponsesItem item) => item == Items[^1] ? Status : "completed"u8;

    public void WriteInProgress(ByteBuffer output)
    {
        output.Append(_head).Append(",\"status\":\"in_progress\",\"completed_at\":null,\"error\":null,\"incomplete_details\":null,\"output\":[]"u8).Append(request.Echo.Span).Append("}"u8);
    }

    public void WriteFinished(ByteBuffer output, TokenUsage? usage, DateTimeOffset at)
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
        if (usage is { } known)
        {
            output.Append(",\"usage\":{\"input_tokens\":"u8).Append(known.Prompt)
                .Append(",\"input_tokens_details\":{\"cached_tokens\":"u8).Append(known.Cached ?? 0).Append(",\"cache_write_tokens\":0},\"output_tokens\":"u8).Append(known.Completion)
                .Append(",\"output_tokens_details\":{\"reasoning_tokens\":"u8).Append(known.Reasoning ?? 0).Append("},\"total_tokens\":"u8).Append(known.Total).Append("}"u8);
        }

        output.Append("}"u8);
    }

    public void Dispose() => Items.ForEach(static item => item.Dispose());
}
