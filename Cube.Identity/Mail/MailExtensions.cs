using Microsoft.Extensions.Options;

namespace Cube.Identity.Mail;

internal static class MailExtensions
{
    public static WebApplicationBuilder AddMail(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<IValidateOptions<MailOptions>, MailOptionsValidator>();
        services.AddOptions<MailOptions>().BindConfiguration(MailOptions.Section).ValidateOnStart();
        services.AddSingleton<MailSender>().AddSingleton<MailTokenStore>().AddSingleton<MailQueue>();
        services.AddHostedService(static provider => provider.GetRequiredService<MailQueue>());
        return builder;
    }
}
