using System.Text;
using Cube.Inference.Chat;

namespace Cube.Inference.Responses;

/// <summary>The kinds of items in the output of a response.</summary>
internal enum ResponsesItemKind
{
    Reasoning,
    Text,
    Refusal,
    Call,
}

/// <summary>One item of a response's output, as far as the model server has sent it.</summary>
internal sealed class ResponsesItem : IDisposable
{
    private readonly byte[] _name;
    private readonly byte[] _callId;

    private ResponsesItem(ResponsesItemKind kind, int index, string prefix, ReadOnlySpan<byte> name, ReadOnlySpan<byte> callId)
    {
        (Kind, Index, Id, _name, _callId) = (kind, index, Encoding.ASCII.GetBytes($"\"{prefix}_{Guid.CreateVersion7():N}\""), name.ToArray(), callId.ToArray());
    }

    public ResponsesItemKind Kind { get; }

    public int Index { get; }

    /// <summary>The id with its quotes.</summary>
    public byte[] Id { get; }

    /// <summary>The text or the arguments, as the content of a JSON string without its quotes.</summary>
    public ByteBuffer Text { get; } = new(1024);

    public bool IsDone { get; set; }

    /// <summary>The function's name with its quotes; empty for items that are not calls.</summary>
    public ReadOnlySpan<byte> Name => _name;

    public static ResponsesItem Of(ResponsesItemKind kind, int index) => new(kind, index, kind == ResponsesItemKind.Reasoning ? "rs" : "msg", default, default);

    /// <param name="index">The index in the output.</param>
    /// <param name="call">A call whose name is known.</param>
    public static ResponsesItem OfCall(int index, ToolCall call) => new(ResponsesItemKind.Call, index, "fc", call.Name, call.Id);

    /// <param name="raw">A JSON string with its quotes; may be empty.</param>
    public void Add(ReadOnlySpan<byte> raw)
    {
        if (raw.Length > 2)
        {
            Text.Append(raw[1..^1]);
        }
    }

    /// <param name="output">Receives the item.</param>
    /// <param name="status"><c>in_progress</c>, <c>completed</c> or <c>incomplete</c>.</param>
    public void Write(ByteBuffer output, ReadOnlySpan<byte> status)
    {
        output.Append("{\"id\":"u8).Append(Id);
        if (Kind == ResponsesItemKind.Call)
        {
            output.Append(",\"type\":\"function_call\",\"call_id\":"u8).Append(_callId).Append(",\"name\":"u8).Append(_name).Append(",\"arguments\":\""u8).Append(Text.Written.Span).Append("\""u8);
        }
        else
        {
            output.Append(Kind == ResponsesItemKind.Reasoning ? ",\"type\":\"reasoning\",\"summary\":[],\"content\":["u8 : ",\"type\":\"message\",\"role\":\"assistant\",\"content\":["u8);
            if (IsDone)
            {
                WritePart(output);
            }

            output.Append("]"u8);
        }

        output.Append(",\"status\":\""u8).Append(status).Append("\"}"u8);
    }

    /// <summary>Writes the content part of an item that is not a call.</summary>
    public void WritePart(ByteBuffer output)
    {
        output.Append(Kind switch
        {
            ResponsesItemKind.Reasoning => "{\"type\":\"reasoning_text\",\"text\":\""u8,
            ResponsesItemKind.Refusal => "{\"type\":\"refusal\",\"refusal\":\""u8,
            _ => "{\"type\":\"output_text\",\"text\":\""u8,
        });
        output.Append(Text.Written.Span).Append(Kind == ResponsesItemKind.Text ? "\",\"annotations\":[],\"logprobs\":[]}"u8 : "\"}"u8);
    }

    public void Dispose() => Text.Dispose();
}
