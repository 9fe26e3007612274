using System.Buffers;
using System.Text.Unicode;

namespace Cube.Inference.Streaming;

/// <summary>
/// Translates events that differ from the ones before only in their text, which are most events of a stream, without parsing them. It learns from two translated events with different texts: what precedes and follows
/// the text must be the same in both, in the input and in the output. Any other event is translated by the parser, and the template is learned again, so that a change of the stream's state cannot be missed.
/// </summary>
/// <param name="member">The member that has the text, with the quotation marks before and after its name, the colon and the quotation mark of its value.</param>
internal sealed class EventTemplate(byte[] member)
{
    /// <summary>A text with one of these has escapes, ends early, or is not valid JSON.</summary>
    private static readonly SearchValues<byte> _special = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(static value => (byte)value), (byte)'"', (byte)'\\', 0x7f]);

    private byte[] _inputStart = [];
    private byte[] _inputEnd = [];
    private byte[] _outputStart = [];
    private byte[] _outputEnd = [];

    /// <summary>The hash of the text of the event before. The text itself is not kept, because it would not be cleared.</summary>
    private int _textHash;
    private bool _hasText;
    private bool _isActive;

    /// <returns>False if the parser must translate the event. Then nothing was written.</returns>
    public bool TryWrite(ReadOnlySpan<byte> input, ByteBuffer output)
    {
        if (!_isActive || input.Length <= _inputStart.Length + _inputEnd.Length || !input.StartsWith(_inputStart) || !input.EndsWith(_inputEnd))
        {
            return false;
        }

        var text = input[_inputStart.Length..^_inputEnd.Length];
        if (!IsPlain(text))
        {
            return false;
        }

        output.Append(_outputStart).Append(text).Append(_outputEnd);
        return true;
    }

    /// <param name="input">An event that the parser translated.</param>
    /// <param name="output">What it wrote.</param>
    public void Learn(ReadOnlySpan<byte> input, ReadOnlySpan<byte> output)
    {
        _isActive = false;
        if (!TryFind(input, out var start, out var text) || !TryFind(output, out var outputStart, out var written) || !text.SequenceEqual(written))
        {
            _hasText = false;
            return;
        }

        var inputEnd = input[(start + text.Length)..];
        var outputEnd = output[(outputStart + text.Length)..];
        var hash = new HashCode();
        hash.AddBytes(text);
        var isSame = input[..start].SequenceEqual(_inputStart) && inputEnd.SequenceEqual(_inputEnd) && output[..outputStart].SequenceEqual(_outputStart) && outputEnd.SequenceEqual(_outputEnd);
        if (!isSame)
        {
            (_inputStart, _inputEnd, _outputStart, _outputEnd) = (input[..start].ToArray(), inputEnd.ToArray(), output[..outputStart].ToArray(), outputEnd.ToArray());
        }

        // Two equal texts prove nothing: another member could have the same value.
        _isActive = isSame && _hasText && hash.ToHashCode() != _textHash;
        (_hasText, _textHash) = (true, hash.ToHashCode());
    }

    private bool TryFind(ReadOnlySpan<byte> json, out int start, out ReadOnlySpan<byte> text)
    {
        text = default;
        start = json.IndexOf(member);
        if (start < 0)
        {
            return false;
        }

        start += member.Length;
        var length = json[start..].IndexOf((byte)'"');
        text = length > 0 ? json.Slice(start, length) : default;
        return IsPlain(text);
    }

    private static bool IsPlain(ReadOnlySpan<byte> text) => !text.IsEmpty && !text.ContainsAny(_special) && Utf8.IsValid(text);
}
