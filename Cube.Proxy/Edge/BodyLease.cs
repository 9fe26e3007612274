using Cube.Proxy.OpenAi.Requests;

namespace Cube.Proxy.Edge;

/// <summary>The bytes that one request's body holds of the budget.</summary>
internal sealed class BodyLease(InFlight inFlight, Guid domain, Guid caller) : IDisposable
{
    private long _bytes;

    /// <exception cref="RefusedException">The budget has no room for it.</exception>
    public void Add(long bytes)
    {
        if (inFlight.TryAddBytes(domain, caller, bytes) is { } refusal)
        {
            throw new RefusedException(refusal);
        }

        Interlocked.Add(ref _bytes, bytes);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _bytes, 0) is > 0 and var bytes)
        {
            inFlight.ReturnBytes(domain, caller, bytes);
        }
    }
}
