using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>Translates the response of a model server into the one that the endpoint's API has.</summary>
public abstract class ResponseTranslator
{
    /// <summary>Begins a streamed response. The caller disposes it where it is <see cref="IDisposable"/>.</summary>
    public virtual IStreamTranslator BeginStream(ClientRequest request, TimeProvider time) => throw new NotSupportedException("The endpoint has no streamed response.");

    /// <summary>Writes a response that came as a whole.</summary>
    /// <param name="body">The model server's.</param>
    /// <param name="mediaType">Its media type, without parameters.</param>
    /// <param name="request">The client's request.</param>
    /// <param name="now">Becomes <c>created</c>.</param>
    /// <param name="output">Takes the client's response.</param>
    /// <exception cref="JsonException">The body is not a response of the endpoint.</exception>
    public abstract BufferedResponse WriteBuffered(ReadOnlyMemory<byte> body, string? mediaType, ClientRequest request, DateTimeOffset now, ByteBuffer output);
}

/// <param name="ContentType">Of the client's response.</param>
/// <param name="Usage">Tokens, where the model server counted them.</param>
public readonly record struct BufferedResponse(string ContentType, TokenUsage? Usage);
