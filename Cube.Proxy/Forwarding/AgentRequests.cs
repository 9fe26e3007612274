using System.Net;
using System.Net.Http.Headers;
using Cube.Attestation.Atls;

namespace Cube.Proxy.Forwarding;

/// <summary>Requests to an agent: on the one connection that was verified, in its version of HTTP, with nothing of a client's head.</summary>
internal static class AgentRequests
{
    private static readonly MediaTypeHeaderValue _json = new("application/json");

    /// <param name="channel">The connection it is for.</param>
    /// <param name="path">At the agent.</param>
    public static HttpRequestMessage Get(this AttestedChannel channel, string path) => Make(channel, HttpMethod.Get, path, null);

    /// <param name="channel">The connection it is for.</param>
    /// <param name="path">At the agent.</param>
    /// <param name="json">The body; it must stay as it is until the request has ended.</param>
    public static HttpRequestMessage Post(this AttestedChannel channel, string path, ReadOnlyMemory<byte> json) =>
        Make(channel, HttpMethod.Post, path, new ReadOnlyMemoryContent(json) { Headers = { ContentType = _json } });

    private static HttpRequestMessage Make(AttestedChannel channel, HttpMethod method, string path, HttpContent? content) => new(method, new Uri(channel.Origin + path))
    {
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Content = content,
    };
}
