using System.Net;
using System.Net.Http.Headers;
using Cube.Attestation.Atls;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>Creates HTTP/2 requests for an attested connection. They contain no header of the client's request.</summary>
internal static class AttestedChannelExtensions
{
    public static readonly MediaTypeHeaderValue Json = new("application/json");

    /// <param name="channel">The connection that sends the request.</param>
    /// <param name="path">Absolute path at the agent.</param>
    public static HttpRequestMessage Get(this AttestedChannel channel, string path) => Create(channel, HttpMethod.Get, path, null);

    /// <param name="channel">The connection that sends the request.</param>
    /// <param name="path">Absolute path at the agent.</param>
    /// <param name="json">The body. It is not copied: its content must not change before the request has ended.</param>
    public static HttpRequestMessage Post(this AttestedChannel channel, string path, ReadOnlyMemory<byte> json) =>
        Create(channel, HttpMethod.Post, path, new ReadOnlyMemoryContent(json) { Headers = { ContentType = Json } });

    /// <param name="channel">The connection that sends the request.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="path">Absolute path at the agent.</param>
    /// <param name="body">The body. It is not copied: its content must not change before the request has ended.</param>
    /// <param name="type">The <c>Content-Type</c> of the body.</param>
    public static HttpRequestMessage Send(this AttestedChannel channel, HttpMethod method, string path, ReadOnlyMemory<byte> body, MediaTypeHeaderValue type) =>
        Create(channel, method, path, new ReadOnlyMemoryContent(body) { Headers = { ContentType = type } });

    private static HttpRequestMessage Create(AttestedChannel channel, HttpMethod method, string path, HttpContent? content) => new(method, new Uri(channel.Origin + path))
    {
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Content = content,
    };
}
