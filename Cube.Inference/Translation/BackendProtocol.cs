using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>
/// How the API of one kind of model server differs from OpenAI's. The base class is a server without optional features that follows OpenAI; a kind of server overrides what it does otherwise. Translators
/// ask for features and call these members; they do not ask which server it is.
/// </summary>
public abstract class BackendProtocol
{
    /// <summary>The name that the agent's configuration and its answers use.</summary>
    public abstract string Name { get; }

    /// <summary>A path, relative to the address of the model server, that answers 2xx while it can serve requests.</summary>
    public virtual string HealthPath => "";

    public virtual BackendFeatures Features => BackendFeatures.None;

    /// <summary>Smallest accepted <c>top_p</c>; a smaller one is raised to it.</summary>
    public virtual double MinTopP => 0;

    public bool Supports(BackendFeatures features) => (Features & features) == features;

    /// <param name="path">A path of OpenAI's API.</param>
    /// <returns>The path of the model server that does the same.</returns>
    public virtual string PathOf(string path) => path;

    /// <param name="effort">One of OpenAI's values of <c>reasoning_effort</c>.</param>
    /// <returns>The nearest value that the model server accepts.</returns>
    public virtual string ReasoningEffortOf(string effort) => effort;

    /// <summary>Writes the schema of a structured output as a JSON value.</summary>
    /// <exception cref="RequestRejectedException">The model server cannot follow the schema.</exception>
    public virtual void WriteOutputSchema(JsonElement schema, string param, Utf8JsonWriter json, CancellationToken ct) => json.WriteRaw(schema);

    /// <summary>Writes the schema of a tool's parameters as a JSON value.</summary>
    public virtual void WriteToolSchema(JsonElement schema, Utf8JsonWriter json) => json.WriteRaw(schema);

    /// <summary>Writes the optional members of an embeddings request.</summary>
    public virtual void WriteEmbeddingOptions(JsonElement request, Utf8JsonWriter json)
    {
        if (request.Member("encoding_format") is { } format)
        {
            json.WriteRaw("encoding_format", format);
        }
    }

    /// <summary>Questions that the model server must answer before a request is sent, where it would otherwise alter the request without an error.</summary>
    /// <param name="path">The path of the request, as OpenAI has it.</param>
    /// <param name="body">The request as the model server would get it.</param>
    public virtual IReadOnlyList<PreflightQuestion> PreflightFor(string path, ReadOnlyMemory<byte> body) => [];
}

/// <summary>A request to the model server whose answer decides whether the client's request is sent.</summary>
/// <param name="Path">Of the model server.</param>
/// <param name="Body">JSON.</param>
/// <param name="FindError">Takes the status and the body of the answer; gives the error for the client, or null where there is none.</param>
public sealed record PreflightQuestion(string Path, ReadOnlyMemory<byte> Body, Func<int, ReadOnlyMemory<byte>, OpenAiError?> FindError);
