using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Cube.Inference.Chat;

/// <summary>One tool call of a response, as far as the model server has sent it.</summary>
/// <param name="index">The model server's index of the call; null if it sent none.</param>
internal sealed class ToolCall(int? index)
{
    private const int MaxBufferedBytes = 4 << 20;

    private byte[] _serverId = [];
    private byte[] _id = [];
    private byte[] _name = [];
    private ArrayBufferWriter<byte>? _buffered;
    private ArgumentScan _scan;

    public int? Index => index;

    /// <summary>The index in the client's response; negative until the name is known.</summary>
    public int OutputIndex { get; set; } = -1;

    /// <summary>The id with its quotes. The proxy generates it if the model server sent none, or one that another call has.</summary>
    public ReadOnlySpan<byte> Id => _id.Length > 0 ? _id : _id = Encoding.ASCII.GetBytes($"\"call_{Guid.NewGuid():N}\"");

    /// <summary>The name with its quotes; empty if it is not known yet.</summary>
    public ReadOnlySpan<byte> Name => _name;

    public bool HasName => _name.Length > 0;

    public bool HasServerId => _serverId.Length > 0;

    public bool HasArguments { get; private set; }

    /// <summary>Whether the arguments received so far are a complete JSON object or array.</summary>
    public bool IsComplete => _scan.IsComplete;

    public bool HasId(ReadOnlySpan<byte> id) => _serverId.AsSpan().SequenceEqual(id);

    public bool HasNameOf(in ToolCallPart part) => _name.AsSpan().SequenceEqual(part.Name);

    /// <param name="part">The next part of the call.</param>
    /// <param name="isIdTaken">Whether another call of the response has the same id.</param>
    public void Merge(in ToolCallPart part, bool isIdTaken)
    {
        if (!HasServerId && JsonBytes.IsNonEmptyString(part.Id))
        {
            _serverId = part.Id.ToArray();
            _id = _id.Length == 0 && !isIdTaken ? _serverId : _id;
        }

        if (!HasName && JsonBytes.IsNonEmptyString(part.Name))
        {
            _name = part.Name.ToArray();
        }

        if (part.HasArguments)
        {
            HasArguments = true;
            _scan.Read(part.ArgumentsText());
        }
    }

    /// <summary>Buffers the arguments until the name is known.</summary>
    /// <returns>False if the buffered arguments exceed 4 MiB.</returns>
    public bool TryBuffer(in ToolCallPart part)
    {
        _buffered ??= new ArrayBufferWriter<byte>();
        _buffered.Write(part.ArgumentsText());
        return _buffered.WrittenCount <= MaxBufferedBytes;
    }

    /// <summary>Appends the buffered arguments and those of the part, as the content of a JSON string without its quotes.</summary>
    public ByteBuffer WriteArguments(in ToolCallPart part, ByteBuffer output)
    {
        if (_buffered is { } buffered)
        {
            output.Append(buffered.WrittenSpan);
            _buffered = null;
        }

        return output.Append(part.ArgumentsText());
    }

    /// <summary>Tracks the nesting of JSON text inside a JSON string, to detect its end.</summary>
    private struct ArgumentScan
    {
        private int _depth;
        private bool _isInString;
        private bool _isEscaped;

        public bool IsComplete { get; private set; }

        public void Read(ReadOnlySpan<byte> text)
        {
            for (var i = 0; i < text.Length; i++)
            {
                var character = text[i];
                if (character == '\\' && i + 1 < text.Length)
                {
                    character = Unescape(text, ref i);
                }

                Step(character);
            }
        }

        /// <summary>Decodes an escape of the outer string. Only quotes, backslashes and brackets matter for the nesting; other characters become spaces.</summary>
        private static byte Unescape(ReadOnlySpan<byte> text, ref int i)
        {
            var escape = text[++i];
            if (escape != 'u' || !Utf8Parser.TryParse(text.Slice(i + 1, Math.Min(4, text.Length - i - 1)), out ushort code, out var read, 'X'))
            {
                return escape is (byte)'"' or (byte)'\\' ? escape : (byte)' ';
            }

            i += read;
            return code < 128 ? (byte)code : (byte)' ';
        }

        private void Step(byte character)
        {
            if (_isEscaped)
            {
                _isEscaped = false;
            }
            else if (_isInString)
            {
                (_isInString, _isEscaped) = (character != '"', character == '\\');
            }
            else if (character == '"')
            {
                _isInString = true;
            }
            else if (character is (byte)'{' or (byte)'[')
            {
                _depth++;
            }
            else if (character is (byte)'}' or (byte)']')
            {
                IsComplete = --_depth == 0;
            }
        }
    }
}
