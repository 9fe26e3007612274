using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>Reads the members of one JSON object as raw UTF-8 bytes, without allocating memory. A value that is not read is skipped.</summary>
internal ref struct JsonObjectReader
{
    private readonly ReadOnlySpan<byte> _json;
    private Utf8JsonReader _reader;
    private bool _hasUnreadValue;

    /// <param name="json">One JSON value. A value of another type has no members.</param>
    /// <exception cref="JsonException">The text is empty or not JSON.</exception>
    public JsonObjectReader(ReadOnlySpan<byte> json)
    {
        _json = json;
        _reader = new Utf8JsonReader(json);
        _reader.Read();
        IsObject = _reader.TokenType == JsonTokenType.StartObject;
    }

    public bool IsObject { get; }

    /// <returns>False at the end of the object.</returns>
    public bool TryReadName()
    {
        if (_hasUnreadValue)
        {
            _reader.Read();
            _reader.Skip();
        }

        return _hasUnreadValue = _reader.Read() && _reader.TokenType == JsonTokenType.PropertyName;
    }

    /// <summary>Compares the current name. Call it before the value is read.</summary>
    public readonly bool NameEquals(ReadOnlySpan<byte> name) => _reader.ValueTextEquals(name);

    /// <inheritdoc cref="JsonBytes.ReadRaw"/>
    public ReadOnlySpan<byte> ReadRaw()
    {
        _hasUnreadValue = false;
        return JsonBytes.ReadRaw(ref _reader, _json);
    }

    /// <inheritdoc cref="JsonBytes.ReadInt32"/>
    public int? ReadInt32()
    {
        _hasUnreadValue = false;
        return JsonBytes.ReadInt32(ref _reader);
    }
}
