using Cube.ServiceDefaults.Networking;

namespace Cube.Agent.Backends;

/// <summary>The connection pool to the model server. It keeps up to 100 idle connections open for 90 seconds.</summary>
internal sealed class BackendClient : IDisposable
{
    private const int IdleConnections = 100;

    private int _inUse;

    public HttpMessageInvoker Invoker { get; } = new(BackendHttpHandler.Create());

    /// <summary>
    /// True if more than 100 exchanges are running. <see cref="SocketsHttpHandler"/> can limit connections but not idle ones, and a limit on connections would delay streams.
    /// An exchange beyond the limit therefore closes its connection when it ends.
    /// </summary>
    public bool HasExcessConnections => Volatile.Read(ref _inUse) > IdleConnections;

    /// <summary>Counts an exchange until the result is disposed.</summary>
    public Exchange Begin()
    {
        Interlocked.Increment(ref _inUse);
        return new Exchange(this);
    }

    public void Dispose() => Invoker.Dispose();

    internal readonly struct Exchange(BackendClient client) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref client._inUse);
    }
}
