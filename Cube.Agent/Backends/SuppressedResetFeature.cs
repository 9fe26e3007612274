using Microsoft.AspNetCore.Http.Features;

namespace Cube.Agent.Backends;

/// <summary>
/// A stream whose model server has died ends here as it stands. A reset would take with it what is still on its way to the proxy, which
/// knows an unfinished answer by itself.
/// </summary>
internal sealed class SuppressedResetFeature : IHttpResetFeature
{
    public static SuppressedResetFeature Instance { get; } = new();

    public void Reset(int errorCode)
    {
    }
}
