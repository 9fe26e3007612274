using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Agent.Guide;

internal static class GuideExtensions
{
    private static readonly ActivitySource Source = new("Cube.Agent.Guide");

    public static void AddGuide(this WebApplicationBuilder builder) =>
        builder.Services.AddSingleton(static _ => new GuideModel(DocumentationIndex.Load()));

    public static void MapGuide(this WebApplication app)
    {
        var started = app.Services.GetRequiredService<TimeProvider>().GetUtcNow().ToUnixTimeSeconds();
        app.MapGet("/v1/models", (HttpContext context) =>
        {
            context.Response.Headers[AgentHeaders.Backend] = "guide";
            return TypedResults.Json(new
            {
                @object = "list",
                data = new[] { new { id = GuideModel.Id, @object = "model", created = started, owned_by = "cube" } },
            });
        });
        app.MapPost("/v1/chat/completions", static (HttpContext context, GuideModel model, TimeProvider time) => AnswerAsync(context, model, time, chat: true));
        app.MapPost("/v1/completions", static (HttpContext context, GuideModel model, TimeProvider time) => AnswerAsync(context, model, time, chat: false));
    }

    private static async Task AnswerAsync(HttpContext context, GuideModel model, TimeProvider time, bool chat)
    {
        var (request, error) = await GuideRequest.ReadAsync(context.Request, chat);
        if (request is null)
        {
            await context.WriteAgentErrorAsync(error!);
            return;
        }

        using var span = Source.StartActivity($"{(chat ? "chat" : "text_completion")} {GuideModel.Id}", ActivityKind.Internal);
        var answer = new GuideResponse(request, model.Answer(request.Question), chat, time.GetUtcNow());
        span?.SetTag("gen_ai.operation.name", chat ? "chat" : "text_completion")
            .SetTag("gen_ai.request.model", GuideModel.Id)
            .SetTag("gen_ai.usage.input_tokens", request.PromptTokens)
            .SetTag("gen_ai.usage.output_tokens", answer.Tokens.Length);
        if (request.Stream)
        {
            await StreamAsync(context, answer, request.IncludeUsage);
            return;
        }

        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        answer.WriteBuffered(json);
    }

    private static async Task StreamAsync(HttpContext context, GuideResponse answer, bool usage)
    {
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers.CacheControl = "no-cache, no-transform";
        var body = context.Response.BodyWriter;
        using var json = new Utf8JsonWriter(body);

        await SendAsync(writer => answer.WriteChunk(writer, "", first: true, usage));
        for (var i = 0; i < answer.Tokens.Length; i++)
        {
            var token = answer.Tokens.Span[i];
            await SendAsync(writer => answer.WriteChunk(writer, token, first: false, usage));
        }

        await SendAsync(writer => answer.WriteChunk(writer, null, first: false, usage));
        if (usage)
        {
            await SendAsync(answer.WriteUsageChunk);
        }

        body.Write("data: [DONE]\n\n"u8);
        await body.FlushAsync(context.RequestAborted);

        async Task SendAsync(Action<Utf8JsonWriter> write)
        {
            body.Write("data: "u8);
            write(json);
            json.Flush();
            json.Reset();
            body.Write("\n\n"u8);
            await body.FlushAsync(context.RequestAborted);
        }
    }
}
