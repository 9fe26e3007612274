namespace Cube.Inference.Translation;

/// <summary>A request that was read and checked against the contract of its endpoint.</summary>
public abstract class InferenceRequest(ClientRequest client, IgnoredMembers ignored) : IDisposable
{
    /// <summary>What the response depends on.</summary>
    public ClientRequest Client => client;

    /// <summary>Members that the endpoint does not know. They reach no model server.</summary>
    public IgnoredMembers Ignored => ignored;

    /// <summary>Writes the request for a model server.</summary>
    /// <returns>Its content type.</returns>
    /// <exception cref="RequestRejectedException">This model server cannot do what the request asks for.</exception>
    public abstract string Write(ByteBuffer output, in RequestTarget target, CancellationToken ct);

    /// <summary>Ends the use of the bytes that the request was read from.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }
}
