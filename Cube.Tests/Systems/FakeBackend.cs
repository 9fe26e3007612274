using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cube.Tests.Systems;

/// <summary>A fake model server that records requests and sends the response that the test sets.</summary>
public sealed class FakeBackend : IAsyncDisposable
{
    private readonly WebApplication _app;

    public FakeBackend()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.Services.Configure<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions>(static kestrel => kestrel.Limits.MaxRequestBodySize = null);
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.Run(HandleAsync);
    }

    public Uri Address { get; private set; } = null!;

    public ConcurrentQueue<Received> Requests { get; } = new();

    /// <summary>The key of the request body in <c>HttpContext.Items</c>.</summary>
    public const string BodyItem = "body";

    /// <summary>The listed models; null if <see cref="Answer"/> handles the model list.</summary>
    public string[]? Models { get; set; } = ["m"];

    /// <summary>Writes the response. The health endpoint always returns 200.</summary>
    public Func<HttpContext, Task> Answer { get; set; } = static context => JsonAsync(context, 200, Chat);

    /// <summary>A response with the members of all endpoints; each translator reads the members that it knows.</summary>
    public const string Chat =
        """
        {"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"text":"Hello.","message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],
        "data":[{"index":0,"object":"embedding","embedding":[0.5]}],"results":[],"tokens":[1],"prompt":"x","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}
        """;

    public async Task StartAsync()
    {
        await _app.StartAsync();
        Address = new Uri(_app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single());
    }

    public static Task JsonAsync(HttpContext context, int status, string json) => TextAsync(context, status, "application/json", json);

    public static async Task TextAsync(HttpContext context, int status, string type, string text)
    {
        (context.Response.StatusCode, context.Response.ContentType) = (status, type);
        await context.Response.WriteAsync(text);
    }

    public static string Event(int i) =>
        $$$"""data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":"t{{{i}}} "},"finish_reason":null}]}""" + "\n\n";

    /// <summary>The end of a stream: the event with the finish reason and the end marker.</summary>
    public const string End =
        """data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n";

    private async Task HandleAsync(HttpContext context)
    {
        if (context.Request.Path == "/health")
        {
            return;
        }

        if (context.Request.Path == "/v1/models" && Models is { } models)
        {
            await context.Response.WriteAsJsonAsync(new
            {
                @object = "list",
                data = models.Select(static id => new { id, @object = "model", created = 1700000000, owned_by = "library", root = "/weights/of/it" }),
            });
            return;
        }

        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync(context.RequestAborted);
        context.Items[BodyItem] = body;
        Requests.Enqueue(new Received(
            context.Request.Method, context.Request.Path + context.Request.QueryString,
            context.Request.Headers.ToDictionary(static header => header.Key, static header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            body));
        await Answer(context);
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}

public sealed record Received(string Method, string Target, Dictionary<string, string> Headers, string Body);
