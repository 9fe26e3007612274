using Microsoft.AspNetCore.Http.Features;

namespace Cube.Agent.Backends;

/// <summary>
/// Suppresses the HTTP/2 reset when the model server fails during a stream. A reset would discard data that is still on its way to the proxy.
/// The proxy detects an incomplete response without the reset.
/// </summary>
internal sealed class SuppressedResetFeature : IHttpResetFeature
{
    public static SuppressedResetFeature Instance { get; } = new();

    public void Reset(int errorCode)
    {
    }
}
