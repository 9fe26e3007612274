using System.ClientModel;
using OpenAI;

namespace Cube.Tests.Systems;

/// <summary>The official OpenAI SDK for .NET, unmodified.</summary>
internal static class SdkClientExtensions
{
    public static OpenAIClient CreateSdkClient(this CubeSystem cube, Tenant tenant, string? token = null) =>
        new(new ApiKeyCredential(token ?? tenant.Token), new OpenAIClientOptions { Endpoint = new Uri(cube.Proxy, tenant.Api) });
}
