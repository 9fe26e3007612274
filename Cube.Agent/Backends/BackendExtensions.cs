using Cube.Inference.Errors;
using System.Diagnostics;
using Cube.Agent.Guide;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Agent.Backends;

internal static class BackendExtensions
{
    /// <summary>Everything that reaches the model server: exact paths, no default.</summary>
    private static readonly (string Method, string Path)[] Endpoints =
    [
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/embeddings"),
    ];

    /// <summary>What vLLM has besides.</summary>
    private static readonly (string Method, string Path)[] OfVllm =
    [
        ("POST", "/tokenize"),
        ("POST", "/detokenize"),
        ("POST", "/pooling"),
        ("POST", "/classify"),
        ("POST", "/score"),
        ("POST", "/v1/score"),
        ("POST", "/rerank"),
        ("POST", "/v1/rerank"),
        ("POST", "/v1/audio/transcriptions"),
        ("POST", "/v1/audio/translations"),
    ];

    /// <summary>What Ollama has besides. Of what takes anything out of the machine there is nothing.</summary>
    private static readonly (string Method, string Path)[] OfOllama =
    [
        ("POST", "/api/chat"),
        ("POST", "/api/generate"),
        ("POST", "/api/embed"),
        ("POST", "/api/embeddings"),
        ("POST", "/api/show"),
        ("GET", "/api/ps"),
        ("GET", "/api/tags"),
        ("GET", "/api/version"),
    ];

    /// <summary>What changes its models, where the machine's own configuration lets it.</summary>
    private static readonly (string Method, string Path)[] ChangesOfOllama =
    [
        ("POST", "/api/pull"),
        ("POST", "/api/create"),
        ("POST", "/api/copy"),
        ("DELETE", "/api/delete"),
    ];

    public static WebApplicationBuilder AddBackend(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IValidateOptions<BackendOptions>, BackendOptionsValidator>();
        builder.Services.AddOptions<BackendOptions>().BindConfiguration(BackendOptions.Section).ValidateOnStart();
        if (builder.Configuration.GetSection(BackendOptions.Section).Get<BackendOptions>() is { ParsedKind: BackendKind.Guide })
        {
            builder.AddGuide();
        }
        else
        {
            builder.Services.AddHttpForwarder().AddSingleton<BackendClient>();
            builder.Services.AddHealthChecks().AddCheck<BackendHealthCheck>("backend");
        }

        return builder;
    }

    public static WebApplication MapBackend(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<BackendOptions>>().Value;
        if (options.ParsedKind == BackendKind.Guide)
        {
            app.MapGuide();
            return app;
        }

        var (forwarder, client) = (app.Services.GetRequiredService<IHttpForwarder>(), app.Services.GetRequiredService<BackendClient>());
        var kind = options.Kind.ToLowerInvariant();
        var (transformer, address) = (new BackendTransformer(client, kind), options.Url!.AbsoluteUri);
        var config = new ForwarderRequestConfig { ActivityTimeout = options.ActivityTimeout };
        foreach (var (method, path) in ((string, string)[])[.. Endpoints, .. options.ParsedKind == BackendKind.Vllm ? OfVllm : OfOllama, .. options.AllowModelChanges ? ChangesOfOllama : []])
        {
            app.MapMethods(path, [method], async context =>
            {
                using var exchange = client.Begin();
                Activity.Current?.SetTag("cube.backend", kind);
                context.Features.Set<IHttpResetFeature>(QuietEnd.Instance);
                var error = await forwarder.SendAsync(context, address, client.Invoker, config, transformer, context.RequestAborted);
                if (error != ForwarderError.None && !context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
                {
                    await context.WriteOwnErrorAsync(Explain(error));
                }
            });
        }

        return app;
    }

    private static OpenAiError Explain(ForwarderError error) => error switch
    {
        ForwarderError.RequestTimedOut => OpenAiError.UpstreamTimeout,
        ForwarderError.RequestBodyClient => OpenAiError.BadHttp,
        _ => OpenAiError.UpstreamError,
    };
}
