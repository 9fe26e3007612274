using System.Buffers;
using System.Text;

namespace Cube.Inference.Chat;

/// <summary>One tool call of an answer, as far as it has come.</summary>
/// <param name="index">The index that the model server gave it; null where it gave none.</param>
internal sealed class ToolCall(int? index)
{
    private const int MostHeld = 4 << 20;

    private byte[] _serverId = [];
    private byte[] _id = [];
    private byte[] _name = [];
    private ArrayBufferWriter<byte>? _held;
    private ArgumentScan _scan;

    public int? Index => index;

    /// <summary>Its index in the client's answer; below zero until its name is known.</summary>
    public int Place { get; set; } = -1;

    /// <summary>With its quotes; made by the proxy where the model server gave none or the id of another call.</summary>
    public ReadOnlySpan<byte> Id => _id.Length > 0 ? _id : _id = Encoding.ASCII.GetBytes($"\"call_{Guid.NewGuid():N}\"");

    /// <summary>With its quotes.</summary>
    public ReadOnlySpan<byte> Name => _name;

    public bool HasName => _name.Length > 0;

    public bool HasServerId => _serverId.Length > 0;

    public bool HasArguments { get; private set; }

    /// <summary>Its arguments so far are a whole JSON object or array.</summary>
    public bool IsComplete => _scan.IsComplete;

    public bool HasId(ReadOnlySpan<byte> id) => _serverId.AsSpan().SequenceEqual(id);

    public bool HasNameOf(in CallParts part) => _name.AsSpan().SequenceEqual(part.Name);

    /// <param name="part">What the model server has said of it now.</param>
    /// <param name="isIdTaken">Another call of the answer has the same id.</param>
    public void Complete(in CallParts part, bool isIdTaken)
    {
        if (!HasServerId && JsonBytes.IsText(part.Id))
        {
            _serverId = part.Id.ToArray();
            _id = _id.Length == 0 && !isIdTaken ? _serverId : _id;
        }

        if (!HasName && JsonBytes.IsText(part.Name))
        {
            _name = part.Name.ToArray();
        }

        if (part.HasArguments)
        {
            HasArguments = true;
            _scan.Read(part.ArgumentsText());
        }
    }

    /// <summary>Keeps the arguments until the name is known.</summary>
    /// <returns>False where there are too many.</returns>
    public bool TryHold(in CallParts part)
    {
        _held ??= new ArrayBufferWriter<byte>();
        _held.Write(part.ArgumentsText());
        return _held.WrittenCount <= MostHeld;
    }

    /// <summary>Appends what was held and what has come now, as the inside of a JSON text.</summary>
    public ByteBuffer WriteArguments(in CallParts part, ByteBuffer output)
    {
        if (_held is { } held)
        {
            output.Append(held.WrittenSpan);
            _held = null;
        }

        return output.Append(part.ArgumentsText());
    }

    /// <summary>Follows the nesting of JSON that is itself written as a JSON text, to see where it ends.</summary>
    private struct ArgumentScan
    {
        private int _depth;
        private bool _isInText;
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

        /// <summary>Of the escapes of the outer text, only those of quotes, backslashes and brackets have a meaning inside.</summary>
        private static byte Unescape(ReadOnlySpan<byte> text, ref int i)
        {
            var escape = text[++i];
            if (escape != 'u' || !System.Buffers.Text.Utf8Parser.TryParse(text.Slice(i + 1, Math.Min(4, text.Length - i - 1)), out ushort code, out var read, 'X'))
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
            else if (_isInText)
            {
                (_isInText, _isEscaped) = (character != '"', character == '\\');
            }
            else if (character == '"')
            {
                _isInText = true;
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
