using System.ClientModel;
using OpenAI;

namespace Cube.Tests.Systems;

/// <summary>The official SDK, unmodified: only the address and the key are ours.</summary>
internal static class SdkClients
{
    public static OpenAIClient ClientOf(this CubeSystem cube, Tenant tenant, string? token = null) =>
        new(new ApiKeyCredential(token ?? tenant.Token), new OpenAIClientOptions { Endpoint = new Uri(cube.Proxy, tenant.Api) });
}
