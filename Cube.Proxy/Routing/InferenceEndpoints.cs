using System.Collections.Frozen;

namespace Cube.Proxy.Routing;

/// <summary>One of the exact (method, path) pairs below a tenant. There is no other and no default.</summary>
internal sealed record InferenceEndpoint(string Name, string Method, string Path);

internal static class InferenceEndpoints
{
    /// <summary>Below it is one model's id, the only part of a path that may hold escapes.</summary>
    public const string ModelPrefix = "/v1/models/";

    public static readonly InferenceEndpoint ListModels = new("models.list", HttpMethods.Get, "/v1/models");
    public static readonly InferenceEndpoint GetModel = new("models.get", HttpMethods.Get, ModelPrefix);
    public static readonly InferenceEndpoint ChatCompletions = new("chat.completions", HttpMethods.Post, "/v1/chat/completions");
    public static readonly InferenceEndpoint Completions = new("completions", HttpMethods.Post, "/v1/completions");
    public static readonly InferenceEndpoint Embeddings = new("embeddings", HttpMethods.Post, "/v1/embeddings");

    private static readonly FrozenDictionary<string, InferenceEndpoint> ByPath =
        new[] { ListModels, ChatCompletions, Completions, Embeddings }.ToFrozenDictionary(static endpoint => endpoint.Path, StringComparer.Ordinal);

    public static InferenceEndpoint? Find(string rest, out string? modelId)
    {
        modelId = null;
        if (ByPath.TryGetValue(rest, out var endpoint))
        {
            return endpoint;
        }

        if (!rest.StartsWith(ModelPrefix, StringComparison.Ordinal) || rest.Length == ModelPrefix.Length)
        {
            return null;
        }

        modelId = Uri.UnescapeDataString(rest[ModelPrefix.Length..]);
        return GetModel;
    }
}
