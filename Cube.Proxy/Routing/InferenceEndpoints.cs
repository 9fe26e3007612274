using System.Collections.Frozen;

namespace Cube.Proxy.Routing;

/// <summary>One of the exact (method, path) pairs below a tenant. There is no other and no default.</summary>
/// <param name="Name">In metrics and logs.</param>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">Below the tenant; what ends in a slash is followed by a model's id.</param>
/// <param name="Action">What a caller's role must allow.</param>
/// <param name="IsInference">Its body names a model, and a model server answers it.</param>
internal sealed record InferenceEndpoint(string Name, string Method, string Path, string Action, bool IsInference = true);

/// <summary>Where a path below a tenant leads.</summary>
internal abstract record EndpointMatch
{
    public sealed record Found(InferenceEndpoint Endpoint, string? ModelId = null) : EndpointMatch;

    /// <param name="Allowed">For the header <c>Allow</c>.</param>
    public sealed record OtherMethod(string Allowed) : EndpointMatch;

    public sealed record Nowhere : EndpointMatch
    {
        public static Nowhere Instance { get; } = new();
    }
}

internal static class InferenceEndpoints
{
    /// <summary>Below it is one model's id, the only part of a path that may hold escapes.</summary>
    public const string ModelPrefix = "/v1/models/";

    public static readonly InferenceEndpoint ListModels = new("models.list", HttpMethods.Get, "/v1/models", "llm_read");
    public static readonly InferenceEndpoint GetModel = new("models.get", HttpMethods.Get, ModelPrefix, "llm_read");
    public static readonly InferenceEndpoint ChatCompletions = new("chat.completions", HttpMethods.Post, "/v1/chat/completions", "llm_chat_completions");
    public static readonly InferenceEndpoint Completions = new("completions", HttpMethods.Post, "/v1/completions", "llm_completions");
    public static readonly InferenceEndpoint Embeddings = new("embeddings", HttpMethods.Post, "/v1/embeddings", "llm_embeddings");
    public static readonly InferenceEndpoint Tokenize = new("tokenize", HttpMethods.Post, "/tokenize", "llm_utility");
    public static readonly InferenceEndpoint Detokenize = new("detokenize", HttpMethods.Post, "/detokenize", "llm_utility");
    public static readonly InferenceEndpoint Pooling = new("pooling", HttpMethods.Post, "/pooling", "llm_pooling");
    public static readonly InferenceEndpoint Classify = new("classify", HttpMethods.Post, "/classify", "llm_classification");
    public static readonly InferenceEndpoint Score = new("score", HttpMethods.Post, "/score", "llm_scoring");
    public static readonly InferenceEndpoint ScoreV1 = new("v1.score", HttpMethods.Post, "/v1/score", "llm_scoring");
    public static readonly InferenceEndpoint Rerank = new("rerank", HttpMethods.Post, "/rerank", "llm_rerank");
    public static readonly InferenceEndpoint RerankV1 = new("v1.rerank", HttpMethods.Post, "/v1/rerank", "llm_rerank");

    /// <summary>Ollama's own.</summary>
    public static readonly InferenceEndpoint NativeChat = new("native.chat", HttpMethods.Post, "/api/chat", "llm_chat_completions");
    public static readonly InferenceEndpoint NativeGenerate = new("native.generate", HttpMethods.Post, "/api/generate", "llm_completions");
    public static readonly InferenceEndpoint NativeEmbed = new("native.embed", HttpMethods.Post, "/api/embed", "llm_embeddings");
    public static readonly InferenceEndpoint NativeTags = new("native.tags", HttpMethods.Get, "/api/tags", "llm_read");
    public static readonly InferenceEndpoint NativeVersion = new("native.version", HttpMethods.Get, "/api/version", "llm_read");

    /// <summary>Evidence of the machine that would serve the caller.</summary>
    public static readonly InferenceEndpoint Attestation = new("attestation", HttpMethods.Post, "/attestation", "llm_read", IsInference: false);

    public static IReadOnlyList<InferenceEndpoint> All { get; } =
    [
        ListModels, GetModel, ChatCompletions, Completions, Embeddings, Tokenize, Detokenize, Pooling, Classify, Score, ScoreV1, Rerank, RerankV1,
        NativeChat, NativeGenerate, NativeEmbed, NativeTags, NativeVersion, Attestation,
        new("attestation.verify", HttpMethods.Get, "/attestation/verify", "llm_read", IsInference: false),
        new("attestation.policy.get", HttpMethods.Get, "/attestation/policy", "attestation_policy_read", IsInference: false),
        new("attestation.policy.versions", HttpMethods.Get, "/attestation/policy/versions", "attestation_policy_read", IsInference: false),
        new("attestation.policy.dry-run", HttpMethods.Post, "/attestation/policy/dry-run", "attestation_policy_read", IsInference: false),
        new("attestation.policy.stage", HttpMethods.Post, "/attestation/policy", "attestation_policy_update", IsInference: false),
        new("attestation.policy.activate", HttpMethods.Post, "/attestation/policy/activate", "attestation_policy_update", IsInference: false),
        new("attestation.policy.delete", HttpMethods.Delete, "/attestation/policy", "attestation_policy_update", IsInference: false),
    ];

    private static readonly FrozenDictionary<string, PathEntry> ByPath = All
        .GroupBy(static endpoint => endpoint.Path)
        .ToFrozenDictionary(static path => path.Key, static path => new PathEntry([.. path]), StringComparer.Ordinal);

    public static EndpointMatch Find(string method, string rest)
    {
        if (ByPath.TryGetValue(rest, out var entry) && rest != ModelPrefix)
        {
            return entry.Find(method);
        }

        if (!rest.StartsWith(ModelPrefix, StringComparison.Ordinal) || rest.Length == ModelPrefix.Length)
        {
            return EndpointMatch.Nowhere.Instance;
        }

        var match = ByPath[ModelPrefix].Find(method);
        return match is EndpointMatch.Found found ? found with { ModelId = Uri.UnescapeDataString(rest[ModelPrefix.Length..]) } : match;
    }

    private sealed class PathEntry(InferenceEndpoint[] endpoints)
    {
        private readonly EndpointMatch.Found[] _found = [.. endpoints.Select(static endpoint => new EndpointMatch.Found(endpoint))];
        private readonly EndpointMatch.OtherMethod _other = new(string.Join(", ", endpoints.Select(static endpoint => endpoint.Method)));

        public EndpointMatch Find(string method)
        {
            foreach (var found in _found)
            {
                if (found.Endpoint.Method == method)
                {
                    return found;
                }
            }

            return _other;
        }
    }
}
