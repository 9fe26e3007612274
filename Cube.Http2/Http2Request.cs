namespace Cube.Http2;

/// <summary>A request. Its scheme is https.</summary>
public sealed class Http2Request
{
    /// <summary>The method in upper case.</summary>
    public required string Method { get; init; }

    /// <summary>Host and port.</summary>
    public required string Authority { get; init; }

    /// <summary>Absolute path with the query.</summary>
    public required string Path { get; init; }

    /// <summary>The <c>Content-Type</c> of the body; null if there is no body.</summary>
    public string? ContentType { get; init; }

    /// <summary>The body. It is not copied entirely: its content must not change before the response is disposed.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>Further headers; empty by default. The names are in lower case.</summary>
    public IReadOnlyList<HeaderField> Headers { get; init; } = [];
}
