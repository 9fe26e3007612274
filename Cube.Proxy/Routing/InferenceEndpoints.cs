using System.Collections.Frozen;
using Cube.ServiceDefaults.Hosting;
using Cube.Proxy.OpenAi;

namespace Cube.Proxy.Routing;

/// <summary>One of the exact (method, path) pairs below a tenant. There is no other and no default.</summary>
/// <param name="Name">In metrics and logs.</param>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">Below the tenant; what ends in a slash is followed by a model's id.</param>
/// <param name="Action">What a caller's role must allow; empty where only administrators of the platform may.</param>
/// <param name="Kind">Who answers it.</param>
internal sealed record InferenceEndpoint(string Name, string Method, string Path, string Action, EndpointKind Kind = EndpointKind.Model)
{
    /// <summary>What a model server is asked instead, where Cube answers in another form than it would.</summary>
    public string? ServerPath { get; init; }

    /// <summary>The same of Ollama alone.</summary>
    public string? OllamaPath { get; init; }

    public string PathAt(BackendKind kind) => (kind == BackendKind.Ollama ? OllamaPath : null) ?? ServerPath ?? Path;

    public bool IsForAdministrators => Action.Length == 0;

    /// <summary>
    /// It is about the domain and no single model, so that a token needs the action for the domain itself. The others ask for the scope of each model that they name or list.
    /// </summary>
    public bool IsOfDomain => Kind is EndpointKind.Catalogue or EndpointKind.Attestation;

    /// <summary>A body that passes through the pipeline; the other kinds read theirs themselves.</summary>
    public bool HasModelBody => Kind is EndpointKind.Model or EndpointKind.Audio or EndpointKind.Weights;

    public bool HasBody => HasModelBody || Method == HttpMethods.Put || (Method == HttpMethods.Post && Kind != EndpointKind.Lookup);
}

internal enum EndpointKind
{
    /// <summary>Its body names a model, and a model server answers it.</summary>
    Model,

    /// <summary>The same, with a file: the body is a form.</summary>
    Audio,

    /// <summary>What there is, answered here from what model servers tell.</summary>
    Lookup,

    /// <summary>It changes the models that a model server has.</summary>
    Weights,

    /// <summary>A domain's own list of models.</summary>
    Catalogue,

    Attestation,
}

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

    public static readonly InferenceEndpoint ListModels = new("models.list", HttpMethods.Get, "/v1/models", "llm_read", EndpointKind.Lookup);
    public static readonly InferenceEndpoint GetModel = new("models.get", HttpMethods.Get, ModelPrefix, "llm_read", EndpointKind.Lookup);
    public static readonly InferenceEndpoint ChatCompletions = new("chat.completions", HttpMethods.Post, "/v1/chat/completions", "llm_chat_completions");
    public static readonly InferenceEndpoint Completions = new("completions", HttpMethods.Post, "/v1/completions", "llm_completions");
    public static readonly InferenceEndpoint Embeddings = new("embeddings", HttpMethods.Post, "/v1/embeddings", "llm_embeddings") { OllamaPath = "/api/embed" };
    public static readonly InferenceEndpoint Responses = new("responses", HttpMethods.Post, "/v1/responses", "llm_chat_completions") { ServerPath = "/v1/chat/completions" };
    public static readonly InferenceEndpoint Transcriptions = new("audio.transcriptions", HttpMethods.Post, "/v1/audio/transcriptions", "llm_transcription", EndpointKind.Audio);
    public static readonly InferenceEndpoint Translations = new("audio.translations", HttpMethods.Post, "/v1/audio/translations", "llm_translation", EndpointKind.Audio);
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
    public static readonly InferenceEndpoint NativeEmbeddings = new("native.embeddings", HttpMethods.Post, "/api/embeddings", "llm_embeddings");
    public static readonly InferenceEndpoint NativeShow = new("native.show", HttpMethods.Post, "/api/show", "llm_read");
    public static readonly InferenceEndpoint NativeRunning = new("native.ps", HttpMethods.Get, "/api/ps", "llm_read", EndpointKind.Lookup);
    public static readonly InferenceEndpoint NativeTags = new("native.tags", HttpMethods.Get, "/api/tags", "llm_read", EndpointKind.Lookup);
    public static readonly InferenceEndpoint NativeVersion = new("native.version", HttpMethods.Get, "/api/version", "llm_read", EndpointKind.Lookup);

    /// <summary>What changes its models.</summary>
    public static readonly InferenceEndpoint NativePull = new("native.pull", HttpMethods.Post, "/api/pull", "", EndpointKind.Weights);
    public static readonly InferenceEndpoint NativeCreate = new("native.create", HttpMethods.Post, "/api/create", "", EndpointKind.Weights);
    public static readonly InferenceEndpoint NativeCopy = new("native.copy", HttpMethods.Post, "/api/copy", "", EndpointKind.Weights);
    public static readonly InferenceEndpoint NativeDelete = new("native.delete", HttpMethods.Delete, "/api/delete", "", EndpointKind.Weights);

    /// <summary>Evidence of the machine that would serve the caller.</summary>
    public static readonly InferenceEndpoint Attestation = new("attestation", HttpMethods.Post, "/attestation", "llm_read", EndpointKind.Attestation);

    public static IReadOnlyList<InferenceEndpoint> All { get; } =
    [
        ListModels, GetModel, ChatCompletions, Completions, Embeddings, Responses, Transcriptions, Translations, Tokenize, Detokenize, Pooling, Classify, Score, ScoreV1, Rerank, RerankV1,
        NativeChat, NativeGenerate, NativeEmbed, NativeEmbeddings, NativeShow, NativeRunning, NativeTags, NativeVersion,
        NativePull, NativeCreate, NativeCopy, NativeDelete,
        new("catalogue.get", HttpMethods.Get, "/models", "llm_read", EndpointKind.Catalogue),
        new("catalogue.put", HttpMethods.Put, "/models", "llm_update", EndpointKind.Catalogue),
        new("catalogue.delete", HttpMethods.Delete, "/models", "llm_update", EndpointKind.Catalogue),
        Attestation,
        new("attestation.verify", HttpMethods.Get, "/attestation/verify", "llm_read", EndpointKind.Attestation),
        new("attestation.policy.get", HttpMethods.Get, "/attestation/policy", "attestation_policy_read", EndpointKind.Attestation),
        new("attestation.policy.versions", HttpMethods.Get, "/attestation/policy/versions", "attestation_policy_read", EndpointKind.Attestation),
        new("attestation.policy.dry-run", HttpMethods.Post, "/attestation/policy/dry-run", "attestation_policy_read", EndpointKind.Attestation),
        new("attestation.policy.stage", HttpMethods.Post, "/attestation/policy", "attestation_policy_update", EndpointKind.Attestation),
        new("attestation.policy.activate", HttpMethods.Post, "/attestation/policy/activate", "attestation_policy_update", EndpointKind.Attestation),
        new("attestation.policy.delete", HttpMethods.Delete, "/attestation/policy", "attestation_policy_update", EndpointKind.Attestation),
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
        private readonly EndpointMatch.OtherMethod _other = new(HeadRequests.WithHead(string.Join(", ", endpoints.Select(static endpoint => endpoint.Method))));

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
