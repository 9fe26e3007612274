namespace Cube.Inference.Translation;

/// <summary>A request that has passed the checks of its endpoint.</summary>
public abstract class InferenceRequest(ClientRequest client, IgnoredMembers ignored) : IDisposable
{
    /// <summary>The properties that the response depends on.</summary>
    public ClientRequest Client => client;

    /// <summary>Members that the endpoint does not know. They are not forwarded.</summary>
    public IgnoredMembers Ignored => ignored;

    /// <summary>Writes the request for a model server.</summary>
    /// <returns>The content type of the written body.</returns>
    /// <exception cref="RequestRejectedException">The model server does not support the request.</exception>
    public abstract string Write(ByteBuffer output, in RequestTarget target, CancellationToken ct);

    /// <summary>Releases the request. It no longer uses the bytes that it was read from.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }
}
