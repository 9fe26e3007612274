using Cube.Inference.Audio;
using Cube.Inference.Chat;
using Cube.Inference.Completions;
using Cube.Inference.Embeddings;
using Cube.Inference.Ollama;
using Cube.Inference.Responses;
using Cube.Inference.Vllm;

namespace Cube.Inference;

/// <summary>All endpoints of the inference API. To add an endpoint, add a folder with its translators and one line here.</summary>
public static class InferenceEndpoints
{
    public static readonly InferenceEndpoint ListModels = new("models.list", "GET", "/v1/models", "llm_read");
    public static readonly InferenceEndpoint GetModel = new("models.get", "GET", "/v1/models/{model}", "llm_read") { BackendPath = "/v1/models" };
    public static readonly InferenceEndpoint OllamaRunning = new("native.ps", "GET", "/api/ps", "llm_read") { RequiredFeatures = BackendFeatures.OllamaApi };
    public static readonly InferenceEndpoint OllamaTags = new("native.tags", "GET", "/api/tags", "llm_read") { RequiredFeatures = BackendFeatures.OllamaApi };
    public static readonly InferenceEndpoint OllamaVersion = new("native.version", "GET", "/api/version", "llm_read") { RequiredFeatures = BackendFeatures.OllamaApi };

    public static readonly ForwardedEndpoint ChatCompletions = Json("chat.completions", "/v1/chat/completions", "llm_chat_completions", ChatRequestTranslator.Instance, new ChatResponseTranslator());

    public static IReadOnlyList<InferenceEndpoint> All { get; } =
    [
        ListModels,
        GetModel,
        ChatCompletions,
        Json("completions", "/v1/completions", "llm_completions", new CompletionRequestTranslator(), new CompletionResponseTranslator()),
        Json("embeddings", "/v1/embeddings", "llm_embeddings", new EmbeddingRequestTranslator(), new EmbeddingResponseTranslator()),
        Json("responses", "/v1/responses", "llm_chat_completions", new ResponsesRequestTranslator(), new ResponsesResponseTranslator()),
        Form("audio.transcriptions", "/v1/audio/transcriptions", "llm_transcription", new AudioRequestTranslator(), new AudioResponseTranslator()),
        Form("audio.translations", "/v1/audio/translations", "llm_translation", new AudioRequestTranslator(), new AudioResponseTranslator()),

        Json("tokenize", "/tokenize", "llm_utility", VllmRequestTranslator.Tokenize, VllmResponseTranslator.Tokenize),
        Json("detokenize", "/detokenize", "llm_utility", VllmRequestTranslator.Detokenize, VllmResponseTranslator.Detokenize),
        Json("pooling", "/pooling", "llm_pooling", VllmRequestTranslator.Pooling, VllmResponseTranslator.Scores),
        Json("classify", "/classify", "llm_classification", VllmRequestTranslator.Classify, VllmResponseTranslator.Scores),
        Json("score", "/score", "llm_scoring", VllmRequestTranslator.Score, VllmResponseTranslator.Scores),
        Json("v1.score", "/v1/score", "llm_scoring", VllmRequestTranslator.Score, VllmResponseTranslator.Scores),
        Json("rerank", "/rerank", "llm_rerank", VllmRequestTranslator.Rerank, VllmResponseTranslator.Rerank),
        Json("v1.rerank", "/v1/rerank", "llm_rerank", VllmRequestTranslator.Rerank, VllmResponseTranslator.Rerank),

        Json("native.chat", "/api/chat", "llm_chat_completions", OllamaRequestTranslator.Chat, OllamaResponseTranslator.Instance),
        Json("native.generate", "/api/generate", "llm_completions", OllamaRequestTranslator.Generate, OllamaResponseTranslator.Instance),
        Json("native.embed", "/api/embed", "llm_embeddings", OllamaRequestTranslator.Embed, OllamaResponseTranslator.Instance),
        Json("native.embeddings", "/api/embeddings", "llm_embeddings", OllamaRequestTranslator.Embeddings, OllamaResponseTranslator.Instance),
        Json("native.show", "/api/show", "llm_read", new OllamaShowTranslator(), new OllamaShowResponseTranslator()),
        OllamaRunning,
        OllamaTags,
        OllamaVersion,

        Management("native.pull", "POST", "/api/pull", ModelManagementTranslator.Pull),
        Management("native.create", "POST", "/api/create", ModelManagementTranslator.Create),
        Management("native.copy", "POST", "/api/copy", ModelManagementTranslator.Copy),
        Management("native.delete", "DELETE", "/api/delete", ModelManagementTranslator.Delete),
    ];

    /// <summary>The methods and paths of a model server that Cube uses. An agent forwards these and no others.</summary>
    /// <param name="backend">The kind of the model server.</param>
    /// <param name="includeModelChanges">Whether the endpoints that change the models are among them.</param>
    public static IReadOnlyCollection<(string Method, string Path)> OfBackend(BackendProtocol backend, bool includeModelChanges) =>
        All.Where(endpoint => backend.Supports(endpoint.RequiredFeatures) && (includeModelChanges || endpoint is not ForwardedEndpoint { ChangesModels: true }))
            .Select(endpoint => (endpoint.Method, backend.PathOf(endpoint.BackendPath)))
            .ToHashSet();

    private static ForwardedEndpoint Json(string name, string path, string permission, RequestTranslator request, ResponseTranslator response) =>
        new(name, "POST", path, permission, BodyKind.Json, request, response);

    private static ForwardedEndpoint Form(string name, string path, string permission, RequestTranslator request, ResponseTranslator response) =>
        new(name, "POST", path, permission, BodyKind.Form, request, response);

    /// <summary>Ollama's endpoints that change its models.</summary>
    private static ForwardedEndpoint Management(string name, string method, string path, ModelManagementTranslator request) =>
        new(name, method, path, Permission: null, BodyKind.Json, request, ModelManagementResponseTranslator.Instance);
}
