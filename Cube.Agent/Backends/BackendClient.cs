using Cube.ServiceDefaults.Networking;

namespace Cube.Agent.Backends;

/// <summary>The one pool of connections to the model server: 100 of them stay open when idle, for 90 seconds.</summary>
internal sealed class BackendClient : IDisposable
{
    private const int IdleConnections = 100;

    private int _inUse;

    public HttpMessageInvoker Invoker { get; } = new(BackendHttpHandler.Create());

    /// <summary>
    /// .NET's pool can limit connections, not idle ones, and a limit on connections would make streams wait for one another.
    /// So what is opened beyond the hundredth in use closes after its one exchange.
    /// </summary>
    public bool IsCrowded => Volatile.Read(ref _inUse) > IdleConnections;

    /// <summary>Counts an exchange from its first byte to its last.</summary>
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
