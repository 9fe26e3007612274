using System.Net;
using System.Net.Http.Headers;
using Cube.Attestation.Atls;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>Requests to an agent: on the one connection that was verified, in its version of HTTP, with nothing of a client's head.</summary>
internal static class AgentRequests
{
    public static readonly MediaTypeHeaderValue Json = new("application/json");

    /// <param name="channel">The connection it is for.</param>
    /// <param name="path">At the agent.</param>
    public static HttpRequestMessage Get(this AttestedChannel channel, string path) => Make(channel, HttpMethod.Get, path, null);

    /// <param name="channel">The connection it is for.</param>
    /// <param name="path">At the agent.</param>
    /// <param name="json">The body; it must stay as it is until the request has ended.</param>
    public static HttpRequestMessage Post(this AttestedChannel channel, string path, ReadOnlyMemory<byte> json) =>
        Make(channel, HttpMethod.Post, path, new ReadOnlyMemoryContent(json) { Headers = { ContentType = Json } });

    /// <param name="channel">The connection it is for.</param>
    /// <param name="method">Of HTTP.</param>
    /// <param name="path">At the agent.</param>
    /// <param name="body">It must stay as it is until the request has ended.</param>
    /// <param name="type">What it is.</param>
    public static HttpRequestMessage Send(this AttestedChannel channel, HttpMethod method, string path, ReadOnlyMemory<byte> body, MediaTypeHeaderValue type) =>
        Make(channel, method, path, new ReadOnlyMemoryContent(body) { Headers = { ContentType = type } });

    private static HttpRequestMessage Make(AttestedChannel channel, HttpMethod method, string path, HttpContent? content) => new(method, new Uri(channel.Origin + path))
    {
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Content = content,
    };
}
