using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>Translates the model server's response to the format of the endpoint's API.</summary>
public abstract class ResponseTranslator
{
    /// <summary>Starts a streamed response. The caller disposes the translator if it is <see cref="IDisposable"/>.</summary>
    public virtual IStreamTranslator BeginStream(ClientRequest request, TimeProvider time) => throw new NotSupportedException("The endpoint has no streamed response.");

    /// <summary>Translates a buffered response.</summary>
    /// <param name="body">The model server's body.</param>
    /// <param name="mediaType">The media type of the body, without parameters; null if there is none.</param>
    /// <param name="request">The client's request.</param>
    /// <param name="now">The value of <c>created</c>.</param>
    /// <param name="output">Receives the client's body.</param>
    /// <exception cref="JsonException">The body is not a response of the endpoint.</exception>
    public abstract BufferedResponse WriteBuffered(ReadOnlyMemory<byte> body, string? mediaType, ClientRequest request, DateTimeOffset now, ByteBuffer output);
}

/// <summary>A translated response.</summary>
/// <param name="ContentType">The content type of the client's response.</param>
/// <param name="Usage">The usage; null if the model server reported none.</param>
public readonly record struct BufferedResponse(string ContentType, TokenUsage? Usage);
