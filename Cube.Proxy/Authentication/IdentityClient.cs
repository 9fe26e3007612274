using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Authentication;

/// <summary>Sends requests to Identity with the caller's token. The proxy has no credential of its own that an attacker could obtain from it.</summary>
internal sealed class IdentityClient(IHttpClientFactory clients)
{
    /// <returns>The status, and the body if the status is 200.</returns>
    /// <exception cref="UnavailableException">Identity does not answer.</exception>
    public async Task<(HttpStatusCode Status, JsonElement Body)> GetAsync(string path, string token, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        try
        {
            using var response = await clients.CreateClient(IdentityKeys.ClientName).SendAsync(request, ct);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                return (response.StatusCode, default);
            }

            using var body = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(ct), cancellationToken: ct);
            return (HttpStatusCode.OK, body.RootElement.Clone());
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException or IOException
            || (exception is TaskCanceledException && !ct.IsCancellationRequested))
        {
            throw new UnavailableException("Identity", exception);
        }
    }
}
